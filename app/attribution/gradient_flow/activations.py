"""Shares of an activation's outputs that are dead or saturated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from ..autograd_graph import kind

FLAT = 0.01  # share of the steepest slope below which an activation counts as saturated
STEEPEST = {"Sigmoid": 0.25}  # 1 for all others
SOFT = frozenset(("Sigmoid", "Tanh", "Elu", "Celu", "Silu", "Mish", "Gelu", "Softplus"))
# These have a minimum with slope 0; the flat end is only left of these positions.
MINIMA = {"Silu": -3.0, "Mish": -3.0, "Gelu": -2.0}


@dataclass(frozen=True)
class Slopes:
    """Shares of an activation's outputs; None if its kind cannot have them.

    `dead`: exactly 0, with slope 0 (the lower end of rectifiers). `dead_units`: channels or units that are dead at all
    positions. `saturated`: at another flat end, where the slope is exactly 0, or, for smooth activations, at most
    `FLAT` of the steepest.
    """

    dead: float | None = None
    dead_units: float | None = None
    saturated: float | None = None


def slopes(operation: Node) -> Slopes:
    """The shares for the output of an operation, (1, …); all None if it is no activation."""
    dead, saturated = _ends(operation)
    if dead is None:
        return Slopes(saturated=_share(saturated))
    return Slopes(_share(dead), _share(_units(dead)), _share(saturated))


def _ends(operation: Node) -> tuple[Tensor | None, Tensor | None]:
    """Masks of the dead and of the saturated outputs."""
    name, saved = kind(operation), _Saved(operation)
    if name == "Relu":
        return saved.result == 0, None
    if name == "Threshold":
        return saved.self <= saved.threshold, None
    if name == "Hardswish":
        return saved.self <= -3, None
    if name == "Hardsigmoid":
        return None, (saved.self <= -3) | (saved.self >= 3)
    if name in ("Hardtanh", "Clamp", "ClampMin", "ClampMax"):
        return _clipped(saved)
    if name in SOFT:
        return None, _flat(operation, name, saved)
    return None, None


def _clipped(saved: _Saved) -> tuple[Tensor | None, Tensor | None]:
    """The masks of a clipping activation; with the lower bound 0 it is a rectifier."""
    low = saved.first("min_val", "min")
    high = saved.first("max_val", "max")
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return None, None
    below = None if low is None else saved.self <= low
    above = None if high is None else saved.self >= high
    if low == 0:
        return below, above
    if below is None or above is None:
        return None, below if above is None else above
    return None, below | above


@torch.no_grad()
def _flat(operation: Node, name: str, saved: _Saved) -> Tensor:
    given: Tensor = saved.result if name in ("Sigmoid", "Tanh") else saved.self
    derivative: Any = operation
    slope: Tensor = derivative(torch.ones_like(given))  # the factor that autograd itself uses
    flat = slope.abs() <= FLAT * STEEPEST.get(name, 1.0)
    return flat & (given < MINIMA[name]) if name in MINIMA else flat


class _Saved:
    """The values that autograd has saved for an operation, by name."""

    def __init__(self, operation: Node) -> None:
        self._operation = operation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operation, f"_saved_{name}")

    def first(self, *names: str) -> Any:
        """The first of these values that exists; None if none does."""
        return next((getattr(self, name) for name in names if hasattr(self._operation, f"_saved_{name}")), None)


def _units(where: Tensor) -> Tensor:
    """Whether all positions of a channel are set: (1, C, h, w) → (C,), (1, L, C) → (C,), (1, C) → (C,)."""
    channels = 1 if where.ndim in (2, 4, 5) else where.ndim - 1
    return where.transpose(0, channels).flatten(1).all(1)


def _share(where: Tensor | None) -> float | None:
    return None if where is None else float(where.float().mean())
