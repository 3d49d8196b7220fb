"""Translations of convolution and pooling, with their derivatives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .runtime import op
from .tape import Unsupported
from .translation import channelwise, integers, node, shape_of, translates


@translates("convolution.default")
def convolution(
    x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, _: Any, groups: int
) -> Any:
    if transposed or not isinstance(weight, Tensor) or weight.ndim != 4:
        raise Unsupported("a convolution that is transposed, not 2D, or with a kernel that depends on the picture")
    y = _convolved(x, weight, stride, padding, dilation, groups)
    return y if bias is None else op.add(y, channelwise(bias, 4))


@translates("convolution_backward.default")
def convolution_backward(g: Any, x: Any, weight: Tensor, _: Any, *rest: Any) -> Any:
    """With stride 1 a convolution with the flipped kernel, which is quicker than a transposed one; else a transposed
    one."""
    stride, padding, dilation, _, _, groups, _ = rest
    out, inner, *kernel = weight.shape
    grouped = weight.reshape(groups, out // groups, inner, *kernel)
    margins = [d * (k - 1) - p for d, k, p in zip(dilation, kernel, padding, strict=True)]
    if set(stride) == {1} and min(margins) >= 0:
        flipped = grouped.transpose(1, 2).flip(3, 4).reshape(groups * inner, out // groups, *kernel)
        return _convolved(g, flipped, stride, margins, dilation, groups), None, None
    # Along each axis: how many of x's positions the windows reach, and how many are left over (below 0: too many).
    reached = [
        (side - 1) * s - p + margin + 1
        for side, s, p, margin in zip(shape_of(g)[2:], stride, padding, margins, strict=True)
    ]
    rests = [side - r for side, r in zip(shape_of(x)[2:], reached, strict=True)]
    settings = {
        "strides": list(stride),
        "pads_begin": list(padding),
        "pads_end": [p + max(0, -rest) for p, rest in zip(padding, rests, strict=True)],
        "dilations": list(dilation),
        "output_padding": [max(0, rest) for rest in rests],
    }
    if groups == 1:
        return op.convolution_backprop_data(g, node(weight), **settings), None, None
    return op.group_convolution_backprop_data(g, node(grouped), **settings), None, None


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
    _check_average(padding, ceil, count_include_pad, divisor)
    margins = list(padding)
    return op.avg_pool(x, list(stride or kernel), margins, margins, list(kernel), False, "floor")


@translates("avg_pool2d_backward.default")
def average_pool_backward(
    g: Any, x: Any, kernel: Any, stride: Any, padding: Any, ceil: bool, count_include_pad: bool, divisor: Any
) -> Any:
    """The derivative of a depthwise convolution with a constant kernel."""
    _check_average(padding, ceil, count_include_pad, divisor)
    channels = shape_of(x)[1]
    weight = torch.full((channels, 1, *kernel), 1 / (kernel[0] * kernel[1]))
    settings = (stride or kernel, padding, [1, 1], False, [0, 0], channels, None)
    return convolution_backward(g, x, weight, None, *settings)[0]


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


def _convolved(x: Any, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    settings = (list(stride), list(padding), list(padding), list(dilation))
    if groups == 1:
        return op.convolution(x, node(weight), *settings)
    out, *kernel = weight.shape
    return op.group_convolution(x, node(weight.reshape(groups, out // groups, *kernel)), *settings)


def _check_average(padding: Any, ceil: bool, count_include_pad: bool, divisor: Any) -> None:
    """Raise `Unsupported` unless every window's sum is divided by the kernel's area."""
    if ceil or divisor is not None or (not count_include_pad and any(padding)):
        raise Unsupported("average pooling with ceil_mode, a divisor, or padding that is not counted")
