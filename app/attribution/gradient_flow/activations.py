"""Measures which shares of an activation's outputs are dead or saturated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from ..autograd_graph import kind

FLAT = 0.01  # share of the steepest slope at or below which an output counts as saturated
STEEPEST = {"Sigmoid": 0.25}  # the steepest slope of a smooth activation; 1 for those not listed
SMOOTH = frozenset(("Sigmoid", "Tanh", "Elu", "Celu", "Silu", "Mish", "Gelu", "Softplus"))
# The slope of these is also 0 at their minimum, which is no flat end; their flat end lies left of these inputs.
MINIMA = {"Silu": -3.0, "Mish": -3.0, "Gelu": -2.0}


@dataclass(frozen=True)
class Slopes:
    """How much of an activation is flat: shares of its outputs; None if this kind of activation cannot have such ones.

    `dead`: output exactly 0, with slope 0 (the lower end of a rectifier). `dead_units`: channels or units that are dead
    at all positions. `saturated`: at another flat end, where the slope is exactly 0 or, for smooth activations, at most
    `FLAT` of the steepest.
    """

    dead: float | None = None
    dead_units: float | None = None
    saturated: float | None = None


def slopes(operation: Node) -> Slopes:
    """The shares for the output of an operation, (1, …); all None if it is not an activation."""
    try:
        dead, saturated = _dead_and_saturated(operation)
    except (
        AttributeError,
        RuntimeError,
        TypeError,
    ):  # what autograd has saved was changed in place, or is of another kind
        return Slopes()
    if dead is None:
        return Slopes(saturated=_share(saturated))
    return Slopes(_share(dead), _share(_units(dead)), _share(saturated))


def _dead_and_saturated(operation: Node) -> tuple[Tensor | None, Tensor | None]:
    """Masks of the dead and of the saturated outputs; None for what this kind of operation cannot have."""
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
    if name in SMOOTH:
        return None, _flat(operation, name, saved)
    return None, None


def _clipped(saved: _Saved) -> tuple[Tensor | None, Tensor | None]:
    """Masks of the dead and of the saturated outputs of a clipping activation. With lower bound 0 it is a rectifier."""
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
    """The mask of a smooth activation's saturated outputs."""
    # autograd saves the output of the first two, and the input of all others
    values: Tensor = saved.result if name in ("Sigmoid", "Tanh") else saved.self
    derivative: Any = operation
    slope: Tensor = derivative(torch.ones_like(values))  # called as autograd does in a backward pass
    flat = slope.abs() <= FLAT * STEEPEST.get(name, 1.0)
    return flat & (values < MINIMA[name]) if name in MINIMA else flat


class _Saved:
    """The values that autograd has saved for an operation, by name."""

    def __init__(self, operation: Node) -> None:
        self._operation = operation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operation, f"_saved_{name}")

    def first(self, *names: str) -> Any:
        """The first of these values that was saved; None if none was."""
        return next((getattr(self, name) for name in names if hasattr(self._operation, f"_saved_{name}")), None)


def _units(mask: Tensor) -> Tensor:
    """Whether the mask is true at all positions of a channel or unit.

    (1, C, h, w) → (C,), (1, L, C) → (C,), (1, C) → (C,)
    """
    channels = 1 if mask.ndim in (2, 4, 5) else mask.ndim - 1
    return mask.transpose(0, channels).flatten(1).all(1)


def _share(mask: Tensor | None) -> float | None:
    """The share of true values in a mask."""
    return None if mask is None else float(mask.float().mean())
