"""Cuts a piece out of what goes into a pooling: one channel, few enough numbers to be read one by one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import Node

from ..autograd_graph import kind, saved

SIDE = 16  # maximum height and width of an excerpt
DIGITS = 4  # significant digits of its values

Sides = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """Square windows of a pooling. `size` is None where one window covers the whole map."""

    size: int | None
    stride: int
    padding: int


@dataclass(frozen=True)
class Excerpt:
    """Values of one channel from (row, column) on, and the windows over them.

    Every window that lies within the values is one of the pooling's own, and begins where its own begins. If
    `window.padding` is not 0, the values are the whole map.
    """

    channel: int
    row: int
    column: int
    values: list[list[float]]
    window: Window


def excerpt(operation: Node, values: Tensor, gradient: Tensor, pooled: Sides) -> Excerpt | None:
    """The piece of a pooling's input a, (1, C, h, w), around the place where |a·∂S/∂a| is largest, in the channel where
    its sum is.

    `gradient` is ∂S/∂input, `pooled` height and width of the output. None where windows are not square, are dilated, or
    are larger than an excerpt, or where a value is not finite.
    """
    if values.ndim != 4 or values.shape != gradient.shape:
        return None
    height, width = int(values.shape[2]), int(values.shape[3])
    window = window_of(operation, (height, width), pooled)
    if window is None:
        return None
    share = (values[0] * gradient[0]).abs().flatten(1)
    channel = int(share.sum(1).argmax())
    place = int(share[channel].argmax())
    spans = [
        _span(side, at, window, whole=_whole(operation, (height, width), window))
        for side, at in ((height, place // width), (width, place % width))
    ]
    if None in spans:
        return None
    (top, rows), (left, columns) = (span for span in spans if span is not None)
    piece = values[0, channel, top : top + rows, left : left + columns].detach().double().cpu()
    if not bool(torch.isfinite(piece).all()):
        return None
    padding = window.padding if (rows, columns) == (height, width) else 0
    rounded = [[float(f"{value:.{DIGITS}g}") for value in row] for row in piece.tolist()]
    return Excerpt(channel, top, left, rounded, Window(window.size, window.stride, padding))


def window_of(operation: Node, sides: Sides, pooled: Sides) -> Window | None:
    """The windows of a pooling of a map with these sides; None where an excerpt cannot have them."""
    if kind(operation) in ("MaxPool2DWithIndices", "AvgPool2D"):
        return _declared(operation)
    if pooled == (1, 1) or kind(operation) in ("Mean", "Amax"):
        return Window(None, 1, 0) if max(sides) <= SIDE and max(sides) > 1 else None
    if sides[0] % pooled[0] or sides[1] % pooled[1]:
        return None  # adaptive windows of different sizes
    high, wide = sides[0] // pooled[0], sides[1] // pooled[1]
    return Window(high, high, 0) if high == wide and 1 < high <= SIDE else None


def _declared(operation: Node) -> Window | None:
    """The windows of a pooling whose sizes were given."""
    kernel = saved(operation, "kernel_size")
    stride, padding = saved(operation, "stride") or kernel, saved(operation, "padding")
    dilation = saved(operation, "dilation") or (1, 1)
    if kernel is None or saved(operation, "divisor_override") is not None:
        return None
    size, step, edge = (int(each[0]) for each in (kernel, stride, padding))
    square = all(len(set(map(int, each))) == 1 for each in (kernel, stride, padding))
    return Window(size, step, edge) if square and set(dilation) == {1} and max(size, step) <= SIDE else None


def _whole(operation: Node, sides: Sides, window: Window) -> bool:
    """Whether the excerpt is the whole map, padding included. What an average makes of padding is its own affair."""
    return max(sides) <= SIDE and (not window.padding or "Max" in kind(operation))


def _span(side: int, at: int, window: Window, whole: bool) -> tuple[int, int] | None:
    """Start and length along one side, around the place `at`; None where no window fits in."""
    if whole:
        return 0, side
    size, stride, padding = window.size or 1, window.stride, window.padding
    first = -(-padding // stride)  # the first window that does not begin in the padding
    last = (side - min(SIDE, side) + padding) // stride
    wanted = (at - SIDE // 2 + padding) // stride
    start = max(first, min(wanted, last)) * stride - padding
    length = min(SIDE, side - start)
    return (start, length) if length >= size else None
