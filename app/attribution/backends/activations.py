"""Activations that save less for the backward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import hardtanh, hardtanh_


class ClippedActivation(nn.Module):
    """`nn.Hardtanh` or `nn.ReLU6` that saves its output; PyTorch's in-place form saves a copy of its input.

    Inside the bounds input and output are equal; at and beyond the bounds the derivative is 0 in both cases.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.low, self.high = float(module.min_val), float(module.max_val)  # type: ignore[arg-type]
        self.inplace = bool(module.inplace)

    def forward(self, x: Tensor) -> Tensor:
        if not x.requires_grad or not torch.is_grad_enabled():
            return (hardtanh_ if self.inplace else hardtanh)(x, self.low, self.high)
        clipped: Tensor = _Clip.apply(x, self.low, self.high, self.inplace)
        return clipped


class _Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float, inplace: bool) -> Tensor:
        ctx.bounds = (low, high)
        if inplace:
            ctx.mark_dirty(x)
        y = (hardtanh_ if inplace else hardtanh)(x, low, high)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(upstream, y, *ctx.bounds), None, None, None
