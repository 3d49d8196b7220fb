"""Which of a pooling's inputs received the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor
from torch.autograd.graph import Node
from torch.nn.functional import adaptive_avg_pool2d

from ..autograd_graph import kind

MAXIMUM = frozenset(("MaxPool2DWithIndices", "MaxPool3DWithIndices", "AdaptiveMaxPool2D"))
AVERAGE = frozenset(("AvgPool2D", "AvgPool3D", "AdaptiveAvgPool2D", "MkldnnAdaptiveAvgPool2D"))
COARSE = 28  # cells on a side of a map at most
How = Literal["maximum", "average"]


@dataclass(frozen=True)
class Pooling:
    """`received` is the share of the inputs with a gradient other than 0; `map` the same by place, rows of cells.

    A cell of the map is a mean over the channels and, where the input is larger than the map, over its places.
    """

    how: How
    received: float
    map: list[list[float]] | None


def how(operation: Node) -> How | None:
    """The kind of pooling that an operation is; a mean or maximum over both sides of a picture is one, too."""
    name = kind(operation)
    if name in MAXIMUM or (name == "Amax" and _over_places(operation)):
        return "maximum"
    if name in AVERAGE or (name == "Mean" and _over_places(operation)):
        return "average"
    return None


def pooled(how: How, gradient: Tensor) -> Pooling:
    """What the gradient with respect to a pooling's input, (1, C, h, w), tells of it."""
    received = (gradient != 0).float()
    share = float(received.mean())
    if received.ndim != 4:
        return Pooling(how, share, None)
    by_place = received.mean(1)
    height, width = (min(COARSE, side) for side in by_place.shape[-2:])
    coarse = adaptive_avg_pool2d(by_place, (height, width))[0]
    return Pooling(how, share, [[round(value, 4) for value in row] for row in coarse.tolist()])


def _over_places(operation: Node) -> bool:
    saved: Any = operation
    sizes = getattr(saved, "_saved_self_sym_sizes", None) or tuple(saved._saved_self.shape)
    dims = getattr(saved, "_saved_dim", None) or ()
    # autograd tells −1 as an unsigned number
    places = {(dim - 2**64 if dim >= 2**63 else dim) % len(sizes) for dim in dims}
    return len(sizes) == 4 and places == {2, 3} and sizes[2] * sizes[3] > 1
