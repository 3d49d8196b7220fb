"""What stands in for the derivative of sign when a gradient goes back through it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, get_args

import torch
from torch import Tensor

from . import Estimator

ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)


def ede_t(t_min: float, t_max: float, progress: float) -> float:
    """t = Tmin · 10^(i/N · log₁₀(Tmax/Tmin)), from Tmin to Tmax (arXiv:1909.10788)."""
    return float(t_min * 10 ** (progress * math.log10(t_max / t_min)))


def surrogate(estimator: Estimator, x: Tensor, t: float) -> Tensor:
    """The function whose derivative is taken in the place of sign's: x; x cut off at ±1; tanh x; k · tanh(t · x)."""
    if estimator == "straight_through":
        return x * 1
    if estimator == "clipped":
        return x.clamp(-1, 1)
    return torch.tanh(x) if estimator == "tanh" else max(1 / t, 1.0) * torch.tanh(t * x)


def slope(estimator: Estimator, x: Tensor, t: float) -> Tensor:
    """Its derivative: 1; 1 where |x| ≤ 1; 1 − tanh²x; k · t · (1 − tanh²(t · x)) with k = max(1/t, 1)."""
    if estimator == "straight_through":
        return torch.ones_like(x)
    if estimator == "clipped":
        return (x.abs() <= 1).to(x.dtype)
    scale = t if estimator == "ede" else 1.0
    factor = max(1 / t, 1.0) * t if estimator == "ede" else 1.0
    return factor * (1 - torch.tanh(scale * x) ** 2)


def signs(x: Tensor) -> Tensor:
    """−1 or 1; 0 counts as 1, for a bit has no third value."""
    return torch.copysign(torch.ones((), dtype=x.dtype), x)


class Sign(torch.autograd.Function):
    """signs(x) forward. Backward, the rows of each estimator of a list (estimator, rows) get its slope."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, groups: Sequence[tuple[Estimator, int]], t: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.groups, ctx.t = groups, t
        return signs(x)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        parts = zip(ctx.groups, torch.split(x, [rows for _, rows in ctx.groups]), strict=True)
        slopes = torch.cat([slope(estimator, part, ctx.t) for (estimator, _), part in parts])
        return upstream[0] * slopes, None, None


def sign(x: Tensor, groups: Sequence[tuple[Estimator, int]], t: float) -> Tensor:
    """The sign of x (rows, …), with a gradient."""
    found: Tensor = Sign.apply(x, groups, t)
    return found
