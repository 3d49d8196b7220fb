"""What an activation lets through: shares of its outputs that are dead, or at a flat end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from ..autograd_graph import kind

FLAT = 0.01  # of the steepest slope: below it an activation counts as saturated
STEEPEST = {"Sigmoid": 0.25}  # of the others it is 1
SOFT = frozenset(("Sigmoid", "Tanh", "Elu", "Celu", "Silu", "Mish", "Gelu", "Softplus"))
# These have a minimum, where the slope is 0 too, and a flat end only to the left of it.
DIPPING = {"Silu": -3.0, "Mish": -3.0, "Gelu": -2.0}


@dataclass(frozen=True)
class Slopes:
    """Shares of an activation's outputs, None where its kind has no such end.

    `dead`: exactly 0, with slope 0 (the rectifiers' lower end). `dead_units`: channels, or units, that are dead at
    every place. `saturated`: at another flat end, where the slope is exactly 0, or for smooth activations at most
    `FLAT` of the steepest.
    """

    dead: float | None = None
    dead_units: float | None = None
    saturated: float | None = None


def slopes(operation: Node) -> Slopes:
    """What the output of an operation, (1, …), is like; nothing is known of one that is no activation."""
    dead, saturated = _ends(operation)
    if dead is None:
        return Slopes(saturated=_share(saturated))
    return Slopes(_share(dead), _share(_units(dead)), _share(saturated))


def _ends(operation: Node) -> tuple[Tensor | None, Tensor | None]:
    """Where an activation is dead, and where it is saturated."""
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
    """Of values that are kept within bounds; a lower bound of 0 makes a rectifier of it."""
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
    slope: Tensor = derivative(torch.ones_like(given))  # what autograd itself multiplies by
    flat = slope.abs() <= FLAT * STEEPEST.get(name, 1.0)
    return flat & (given < DIPPING[name]) if name in DIPPING else flat


class _Saved:
    """What autograd has kept of an operation, by name."""

    def __init__(self, operation: Node) -> None:
        self._operation = operation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operation, f"_saved_{name}")

    def first(self, *names: str) -> Any:
        """The first of these that there is; None where there is none."""
        return next((getattr(self, name) for name in names if hasattr(self._operation, f"_saved_{name}")), None)


def _units(where: Tensor) -> Tensor:
    """(1, C, h, w) → (C,), (1, L, C) → (C,), (1, C) → (C,): whether it is so at every place."""
    channels = 1 if where.ndim in (2, 4, 5) else where.ndim - 1
    return where.transpose(0, channels).flatten(1).all(1)


def _share(where: Tensor | None) -> float | None:
    return None if where is None else float(where.float().mean())
