"""Translations of pooling, with its derivatives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .runtime import op
from .tape import Unsupported
from .translated_convolutions import input_gradient
from .translation import integers, node, shape_of, translates


@translates("max_pool2d_with_indices.default")
def max_pool(
    x: Any, kernel: Any, stride: Any = (), padding: Any = (0, 0), dilation: Any = (1, 1), ceil: bool = False
) -> Any:
    """The positions of the maxima are found by comparison, because OpenVINO pools slowly if it must return them."""
    margins, rounding = list(padding), "ceil_torch" if ceil else "floor"
    made = op.max_pool(x, list(stride or kernel), list(dilation), margins, margins, list(kernel), rounding)
    return made.output(0), _places(x, made.output(0), kernel, stride or kernel, padding, dilation)


def _places(x: Any, y: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """For each maximum the first position with its value, flat in (height, width), as a float: exact up to 2²⁴."""
    sides, cells = shape_of(x)[2:], shape_of(y)[2:]
    reach = [(c - 1) * s + d * (k - 1) + 1 for c, s, d, k in zip(cells, stride, dilation, kernel, strict=True)]
    after = [max(0, r - side - p) for r, side, p in zip(reach, sides, padding, strict=True)]
    padded = op.pad(x, integers([0, 0, *padding]), integers([0, 0, *after]), "constant", node(-3.0e38))
    found = None
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            first = [i * dilation[0], j * dilation[1]]
            last = [f + (c - 1) * s + 1 for f, c, s in zip(first, cells, stride, strict=True)]
            seen = op.slice(padded, integers(first), integers(last), integers(list(stride)), integers([2, 3]))
            rows = torch.arange(cells[0]) * stride[0] + first[0] - padding[0]
            columns = torch.arange(cells[1]) * stride[1] + first[1] - padding[1]
            place = (rows[:, None] * sides[1] + columns)[None, None].float()
            here = op.select(op.equal(seen, y), node(place), node(float(2**25)))
            found = here if found is None else op.minimum(found, here)
    return found


@translates("max_pool2d_with_indices_backward.default")
def max_pool_backward(g: Any, x: Any, *rest: Any) -> Any:
    """Each value goes to the position of its window's maximum; several may go to the same position."""
    n, channels, height, width = shape_of(x)
    flat = integers([n, channels, -1])
    spread = op.scatter_elements_update(
        node(torch.zeros(n, channels, height * width)),
        op.reshape(op.convert(rest[-1], "i32"), flat, False),
        op.reshape(g, flat, False),
        integers(2),
        "sum",
    )
    return op.reshape(spread, integers([n, channels, height, width]), False)


@translates("avg_pool2d.default")
def average_pool(
    x: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = (0, 0),
    ceil: bool = False,
    count_include_pad: bool = True,
    divisor: Any = None,
) -> Any:
    _check_average(x, kernel, stride or kernel, padding, ceil, count_include_pad, divisor)
    margins = list(padding)
    return op.avg_pool(x, list(stride or kernel), margins, margins, list(kernel), False, "floor")


@translates("avg_pool2d_backward.default")
def average_pool_backward(
    g: Any, x: Any, kernel: Any, stride: Any, padding: Any, ceil: bool, count_include_pad: bool, divisor: Any
) -> Any:
    """The derivative of a depthwise convolution with a constant kernel."""
    _check_average(x, kernel, stride or kernel, padding, ceil, count_include_pad, divisor)
    channels = shape_of(x)[1]
    weight = torch.full((channels, 1, *kernel), 1 / (kernel[0] * kernel[1]))
    steps, before, sides = list(stride or kernel), list(padding), shape_of(x)[2:]
    return input_gradient(g, weight, steps, before, sides, [1, 1], channels)


@translates("_adaptive_avg_pool2d.default")
def adaptive_average_pool(x: Any, size: Any) -> Any:
    rows, columns = _shares(x, size)
    return (
        x
        if shape_of(x)[2:] == list(size)
        else op.matmul(op.matmul(node(rows), x, False, False), node(columns), False, True)
    )


@translates("_adaptive_avg_pool2d_backward.default")
def adaptive_average_pool_backward(g: Any, x: Any) -> Any:
    rows, columns = _shares(x, shape_of(g)[2:])
    return (
        g
        if shape_of(x) == shape_of(g)
        else op.matmul(op.matmul(node(rows), g, True, False), node(columns), False, False)
    )


@translates("reflection_pad2d.default")
def reflection_pad(x: Any, margins: Any) -> Any:
    left, right, top, bottom = margins
    return op.pad(x, integers([0, 0, top, left]), integers([0, 0, bottom, right]), "reflect")


@translates("reflection_pad2d_backward.default")
def reflection_pad_backward(g: Any, x: Any, margins: Any) -> Any:
    """Rᵀ g C for the padding y = R x Cᵀ, whose matrices say from where each position was taken."""
    left, right, top, bottom = margins
    sides = shape_of(x)[2:]
    rows, columns = (
        torch.eye(side)[_reflected(side, *ends)]
        for side, ends in zip(sides, ((top, bottom), (left, right)), strict=True)
    )
    return op.matmul(op.matmul(node(rows), g, True, False), node(columns), False, False)


def _reflected(side: int, before: int, after: int) -> Tensor:
    """For each position of a padded axis, where its value comes from; the edges are not repeated."""
    at = torch.arange(-before, side + after).abs()
    return torch.where(at < side, at, 2 * (side - 1) - at)


def _shares(x: Any, size: Any) -> list[Tensor]:
    """For each axis a matrix of how much each input contributes to each output: y = R x C^T."""
    shares = []
    for side, cells in zip(shape_of(x)[2:], size, strict=True):
        matrix = torch.zeros(cells, side)
        for cell in range(cells):
            start, end = cell * side // cells, -(-(cell + 1) * side // cells)
            matrix[cell, start:end] = 1 / (end - start)
        shares.append(matrix)
    return shares


def _check_average(
    x: Any, kernel: Any, stride: Any, padding: Any, ceil: bool, count_include_pad: bool, divisor: Any
) -> None:
    """Raise `Unsupported` unless every window's sum is divided by the kernel's area."""
    rest = any((side + 2 * p - k) % s for side, k, s, p in zip(shape_of(x)[2:], kernel, stride, padding, strict=True))
    if (ceil and rest) or divisor is not None or (not count_include_pad and any(padding)):
        raise Unsupported("average pooling with ceil_mode, a divisor, or padding that is not counted")
