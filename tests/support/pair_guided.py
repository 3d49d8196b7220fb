"""PAIR saliency's guided integrated gradients, as a reference."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import numpy as np
import torch
from saliency.core import guided_ig
from torch import Tensor


def pair_guided(
    x: Tensor,
    gradient: Callable[[np.ndarray], np.ndarray],
    *,
    baseline: Tensor | None = None,
    **options: object,
) -> Tensor:
    """Their map of a picture, (C, H, W), in float64; `options` are steps, fraction and max_dist."""
    quantile = np.quantile

    def renamed(values: np.ndarray, q: float, interpolation: str) -> np.ndarray:
        return quantile(values, q, method=interpolation)  # NumPy 2.4 knows the old name no more, which theirs uses

    start = torch.zeros_like(x) if baseline is None else baseline
    with mock.patch.object(np, "quantile", renamed):
        found = guided_ig.guided_ig_impl(x.double().numpy(), start.double().numpy(), gradient, **options)
    return torch.from_numpy(found)
