"""How a module's output lies over the picture: channels first, channels last, or tokens on a grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Grid = tuple[int, int]  # rows and columns of places
MORE_PREFIXES = 16  # register tokens and the like that a network may have and not declare


@dataclass(frozen=True)
class Layout:
    """How the places of a `grid` (h, w) lie in an output: (N, K, h, w), (N, h, w, K), or tokens (N, `prefix` + h·w, K).

    The prefix are tokens of no place: class, distillation and register tokens.
    """

    kind: Literal["channels_first", "channels_last", "tokens"]
    grid: Grid
    prefix: int = 0

    def spatial(self, values: Tensor) -> Tensor:
        """The places of an output, or of its gradient, as a view: (N, K, h, w)."""
        if self.kind == "channels_first":
            return values
        if self.kind == "channels_last":
            return values.permute(0, 3, 1, 2)
        return values[:, self.prefix :].view(len(values), *self.grid, values.shape[2]).permute(0, 3, 1, 2)

    def without_places(self, values: Tensor) -> Tensor:
        """A copy of an output in which every place is 0; the prefix stays."""
        kept = values.clone()
        self.spatial(kept).zero_()
        return kept


def fits(grid: Grid, size: tuple[int, int]) -> bool:
    """Whether a grid has several places and the aspect of pictures of this (height, width)."""
    (h, w), (height, width) = grid, size
    return h * w > 1 and abs(h * width - w * height) <= max(height, width)  # strides may round by one cell


def grids_in(shape: tuple[int, ...], size: tuple[int, int]) -> set[Grid]:
    """The grids that an output of this shape could have as a map: its last two sides, or those before the last."""
    if len(shape) != 4:
        return set()
    return {grid for grid in ((shape[2], shape[3]), (shape[1], shape[2])) if fits(grid, size)}


def possible_layouts(
    shape: tuple[int, ...], size: tuple[int, int], known: Iterable[Grid], prefixes: Iterable[int]
) -> list[Layout]:
    """The layouts that an output of one picture could have, other than channels first: the likeliest first.

    `known` are grids of other outputs of the network, such as the patch embedding's; `prefixes` the numbers of tokens
    before the grid that the network declares.
    """
    if len(shape) == 4 and shape[0] == 1 and fits((shape[1], shape[2]), size):
        return [Layout("channels_last", (shape[1], shape[2]))]
    if len(shape) != 3 or shape[0] != 1:
        return []
    tokens, few = shape[1], max(prefixes, default=0) + MORE_PREFIXES
    found = [Layout("tokens", grid, tokens - grid[0] * grid[1]) for grid in known]
    found += [
        Layout("tokens", grid, prefix) for prefix in (*prefixes, 0, 1) for grid in _grids_of(tokens - prefix, size)
    ]
    return [layout for layout in dict.fromkeys(found) if 0 <= layout.prefix <= few]


def _grids_of(places: int, size: tuple[int, int]) -> list[Grid]:
    """The grids of so many places that have the picture's aspect."""
    sides = (h for h in range(1, places + 1) if places % h == 0)
    return [(h, places // h) for h in sides if h > 1 < places // h and fits((h, places // h), size)]
