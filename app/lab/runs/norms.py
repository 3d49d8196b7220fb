"""Norms of many tensors at once, exact over the whole range of their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LOW, HIGH = 1e-12, 1e15  # a norm beyond these is computed again: its squares may have left the range of float32


@torch.no_grad()
def norms(tensors: Sequence[Tensor]) -> list[float]:
    """‖t‖₂ of each tensor. NaN or infinite only where a tensor holds such a number (or its norm is beyond float64).

    The device is waited for once, and once more for each norm that is very small or very large.
    """
    if not tensors:
        return []
    dense = [_values(one) for one in tensors]
    device = dense[0].device
    raw = torch._foreach_norm(dense)
    found: list[float] = torch.stack([one.detach().to(device, torch.float32) for one in raw]).tolist()
    return [value if LOW < value < HIGH else _exact(one, value) for value, one in zip(found, dense, strict=True)]


@torch.no_grad()
def dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """Σ ⟨a, b⟩ over pairs of tensors of the same shapes."""
    device = one[0].device
    parts = [
        torch.vdot(_values(a).flatten(), _values(b).flatten()).real.to(device, torch.float32)
        for a, b in zip(one, other, strict=True)
    ]
    return math.fsum(torch.stack(parts).tolist())


def _values(tensor: Tensor) -> Tensor:
    """The numbers that a norm goes over; of half precision as float32, whose squares do not overflow."""
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    elif tensor.layout != torch.strided:
        tensor = tensor.values()
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _exact(tensor: Tensor, value: float) -> float:
    """The norm with its numbers scaled to at most 1 first."""
    if not tensor.numel() or math.isnan(value):
        return value if tensor.numel() else 0.0
    most = float(tensor.abs().max())
    if most == 0 or not math.isfinite(most):
        return most
    return most * float(torch.linalg.vector_norm(tensor / most))
