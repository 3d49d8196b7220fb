"""Measures which inputs of a pooling received a gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor
from torch.autograd.graph import Node
from torch.nn.functional import adaptive_avg_pool2d

from ..autograd_graph import kind

MAXIMUM = frozenset(("MaxPool2DWithIndices", "MaxPool3DWithIndices", "AdaptiveMaxPool2D"))
AVERAGE = frozenset(("AvgPool2D", "AvgPool3D", "AdaptiveAvgPool2D", "MkldnnAdaptiveAvgPool2D"))
MAX_CELLS = 28  # at most so many cells on a side of a map
How = Literal["maximum", "average"]


@dataclass(frozen=True)
class Pooling:
    """`received` is the share of inputs with a nonzero gradient; `map` is the same share by position, as rows of cells.

    A cell is the mean over channels and, if the input is larger than the map, over positions.
    """

    how: How
    received: float
    map: list[list[float]] | None


def pooling_kind(operation: Node) -> How | None:
    """The kind of pooling of an operation, None if it is none; a mean or maximum over height and width is pooling
    too."""
    name = kind(operation)
    if name in MAXIMUM or (name == "Amax" and _over_height_and_width(operation)):
        return "maximum"
    if name in AVERAGE or (name == "Mean" and _over_height_and_width(operation)):
        return "average"
    return None


def measure_pooling(how: How, gradient: Tensor) -> Pooling:
    """The figures of a pooling from the gradient with respect to its input, (1, C, h, w)."""
    received = (gradient != 0).float()
    share = float(received.mean())
    if received.ndim != 4:
        return Pooling(how, share, None)
    by_position = received.mean(1)
    height, width = (min(MAX_CELLS, side) for side in by_position.shape[-2:])
    coarse = adaptive_avg_pool2d(by_position, (height, width))[0]
    return Pooling(how, share, [[round(value, 4) for value in row] for row in coarse.tolist()])


def _over_height_and_width(operation: Node) -> bool:
    saved: Any = operation
    sizes = getattr(saved, "_saved_self_sym_sizes", None) or tuple(saved._saved_self.shape)
    dims = getattr(saved, "_saved_dim", None) or ()
    # autograd stores −1 as an unsigned number
    axes = {(dim - 2**64 if dim >= 2**63 else dim) % len(sizes) for dim in dims}
    return len(sizes) == 4 and axes == {2, 3} and sizes[2] * sizes[3] > 1
