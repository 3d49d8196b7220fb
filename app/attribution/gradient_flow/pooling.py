"""Measures which inputs of a pooling operation received a gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.autograd.graph import Node
from torch.nn.functional import adaptive_avg_pool2d

from ..autograd_graph import kind, saved
from .calls import ModuleCall
from .excerpt import Excerpt, excerpt

# names of autograd operations, see `autograd_graph.kind`
MAXIMUM = frozenset(("MaxPool2DWithIndices", "MaxPool3DWithIndices", "AdaptiveMaxPool2D"))
AVERAGE = frozenset(("AvgPool2D", "AvgPool3D", "AdaptiveAvgPool2D", "MkldnnAdaptiveAvgPool2D"))
MAX_CELLS = 28  # maximum height and width of a map
PoolingKind = Literal["maximum", "average"]


@dataclass(frozen=True)
class Pooling:
    """`received` is the share of a pooling's inputs with a nonzero gradient; `map` is that share by position, as rows.

    A value of the map is the mean over channels and, if a side is longer than `MAX_CELLS`, over neighbouring positions.
    `map` is None unless the input is (1, C, h, w). `excerpt` is a piece of the input, where it is known.
    """

    kind: PoolingKind
    received: float
    map: list[list[float]] | None
    excerpt: Excerpt | None = None


def pooling_kind(operation: Node) -> PoolingKind | None:
    """What an operation pools by; None if it is not a pooling. A mean or maximum over height and width counts too."""
    name = kind(operation)
    if name in MAXIMUM or (name == "Amax" and _over_height_and_width(operation)):
        return "maximum"
    if name in AVERAGE or (name == "Mean" and _over_height_and_width(operation)):
        return "average"
    return None


def pooled_values(operation: Node, call: ModuleCall | None) -> Tensor | None:
    """What goes into a pooling: what autograd has saved of it, or what went into its module; None if unknown."""
    values = saved(operation, "self")
    if isinstance(values, Tensor):
        return values.detach()
    given = None if call is None else call.pooled
    sizes = saved(operation, "self_sym_sizes")
    return given if given is not None and sizes == tuple(given.shape) else None


def measure_pooling(
    kind: PoolingKind, gradient: Tensor, operation: Node, values: Tensor | None, shape: tuple[int, ...]
) -> Pooling:
    """Measure a pooling by the gradient with respect to its input, (1, C, h, w); `shape` is its output's."""
    received = (gradient != 0).float()
    share = float(received.mean())
    if received.ndim != 4:
        return Pooling(kind, share, None)
    by_position = received.mean(1)
    height, width = (min(MAX_CELLS, side) for side in by_position.shape[-2:])
    coarse = adaptive_avg_pool2d(by_position, (height, width))[0]
    pooled = (shape[1], shape[2]) if len(shape) == 3 else (1, 1)
    piece = None if values is None else excerpt(operation, values, gradient, pooled)
    return Pooling(kind, share, [[round(value, 4) for value in row] for row in coarse.tolist()], piece)


def _over_height_and_width(operation: Node) -> bool:
    """Whether an operation reduces exactly height and width of a (1, C, h, w) tensor."""
    values = saved(operation, "self")
    sizes = saved(operation, "self_sym_sizes") or (tuple(values.shape) if isinstance(values, Tensor) else ())
    dims = saved(operation, "dim") or ()
    if len(sizes) != 4 or not isinstance(dims, (tuple, list)):
        return False
    # autograd stores −1 as an unsigned number
    axes = {(dim - 2**64 if dim >= 2**63 else dim) % len(sizes) for dim in dims}
    return len(sizes) == 4 and axes == {2, 3} and sizes[2] * sizes[3] > 1
