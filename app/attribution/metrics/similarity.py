"""How alike two maps are: rank correlation and structural similarity, on maps reduced over their channels."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..methods.base import Method

WINDOW = 7  # side of SSIM's window
C1, C2 = 0.01**2, 0.03**2


def importance(values: Tensor, method: Method[Any]) -> Tensor:
    """How much each place counts, (C, H, W) → (H, W) float64: Σ over channels of |values|; CAMs and occlusion as is."""
    values = values.detach().double().cpu()
    return values.sum(0) if method.single_channel else values.abs().sum(0)


class Similarity(TypedDict):
    """How alike two maps are; None where that cannot be said."""

    rank_correlation: float | None
    signed_rank_correlation: float | None
    ssim: float | None


def map_similarity(one: Tensor, other: Tensor, method: Method[Any]) -> Similarity:
    """Two maps of a method, (C, H, W) each: `rank_correlation` and `ssim` of their importance, the latter after each
    is scaled to [0, 1]; `signed_rank_correlation` of their sums over channels. None where one of the two is constant.
    """
    first, second = importance(one, method), importance(other, method)
    return {
        "rank_correlation": rank_correlation(first, second),
        "signed_rank_correlation": rank_correlation(one.double().cpu().sum(0), other.double().cpu().sum(0)),
        "ssim": ssim(rescaled(first), rescaled(second)) if spread(first) and spread(second) else None,
    }


def rank_correlation(one: Tensor, other: Tensor) -> float | None:
    """Spearman's ρ of two arrays of a shape; equal values share their mean rank. None where one is constant."""
    first, second = ranks(one.numpy().ravel()), ranks(other.numpy().ravel())
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float(np.clip((first * second).sum() / size, -1, 1)) if size else None


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values at their mean rank."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    means: np.ndarray = last - (counts - 1) / 2
    return means[where]


def spread(values: Tensor) -> float:
    return float(values.max() - values.min())


def rescaled(values: Tensor) -> Tensor:
    """`values` scaled so that they reach from 0 to 1."""
    return (values - values.min()) / spread(values)


def ssim(one: Tensor, other: Tensor) -> float:
    """Mean structural similarity of two (H, W) maps in [0, 1], over windows that lie wholly within.

    (2 μ₁ μ₂ + C₁)(2 σ₁₂ + C₂) / ((μ₁² + μ₂² + C₁)(σ₁² + σ₂² + C₂)), C₁ = 0.01², C₂ = 0.03², in uniform windows of
    7 × 7 with sample covariances. Wang, Bovik, Sheikh, Simoncelli 2004, doi:10.1109/TIP.2003.819861. Equals
    `skimage.metrics.structural_similarity(data_range=1)`; in maps that are smaller, the window is.
    """
    side = min(WINDOW, *one.shape)
    side -= 1 - side % 2

    def mean(values: Tensor) -> Tensor:
        return avg_pool2d(values[None, None], side, stride=1)

    one, other = one.double(), other.double()
    bessel = side**2 / (side**2 - 1) if side > 1 else 1.0
    first, second = mean(one), mean(other)
    variances = bessel * (mean(one**2) - first**2 + mean(other**2) - second**2)
    covariance = bessel * (mean(one * other) - first * second)
    numerator = (2 * first * second + C1) * (2 * covariance + C2)
    return float(torch.mean(numerator / ((first**2 + second**2 + C1) * (variances + C2))))
