"""Translations of convolution and of its gradient with respect to its input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .runtime import op
from .tape import Unsupported
from .translation import channelwise, integers, node, shape_of, translates

LANES = 16  # channels that a convolution computes at once: fewer cost as much
BLOCKS = (1, 2)  # sides of a block, in strides, that are worth a try: larger ones waste more than they save


@translates("convolution.default")
def convolution(
    x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, _: Any, groups: int
) -> Any:
    if transposed or not isinstance(weight, Tensor) or weight.ndim != 4:
        raise Unsupported("a convolution that is transposed, not 2D, or with a kernel that depends on the picture")
    y = _convolved(x, weight, stride, padding, padding, dilation, groups)
    return y if bias is None else op.add(y, channelwise(bias, 4))


@translates("convolution_backward.default")
def convolution_backward(g: Any, x: Any, weight: Tensor, _: Any, *rest: Any, margins: Any = (0, 0, 0, 0)) -> Any:
    """∂S/∂x (N, C, H, W) from g = ∂S/∂y, without its outer `margins` (left, right, top, bottom), which only padding
    before the convolution had added."""
    stride, padding, dilation, _, _, groups, _ = rest
    left, right, top, bottom = margins
    height, width = shape_of(x)[2:]
    before = [padding[0] + top, padding[1] + left]
    sides = [height - top - bottom, width - left - right]
    return input_gradient(g, weight, list(stride), before, sides, list(dilation), groups), None, None


def input_gradient(
    g: Any, weight: Tensor, stride: list[int], before: list[int], sides: list[int], dilation: list[int], groups: int
) -> Any:
    """(N, C, *sides): the sum over all windows of Wᵀg, for a convolution with padding `before` the first position.

    Few channels are computed as blocks of positions; with stride 1 it is a convolution with the flipped kernel, which
    is quicker than a transposed one; else a transposed one.
    """
    kernel = list(weight.shape[2:])
    block = block_side(weight.shape[1], kernel, stride) if groups == 1 and dilation == [1, 1] else None
    if block is not None:
        return _by_blocks(g, weight, stride, before, sides, block)
    # along each axis: positions that the windows reach, padding included, and those after the last wanted one
    reached = [
        (cells - 1) * s + d * (k - 1) + 1
        for cells, s, d, k in zip(shape_of(g)[2:], stride, dilation, kernel, strict=True)
    ]
    after = [r - b - side for r, b, side in zip(reached, before, sides, strict=True)]
    if set(stride) == {1}:
        margins = [
            [d * (k - 1) - m for d, k, m in zip(dilation, kernel, side, strict=True)] for side in (before, after)
        ]
        if min(map(min, margins)) >= 0:
            return _convolved(g, _flipped(weight, groups), stride, margins[0], margins[1], dilation, groups)
    settings = {
        "strides": stride,
        "pads_begin": before,
        "pads_end": [max(0, a) for a in after],
        "dilations": dilation,
        "output_padding": [max(0, -a) for a in after],
    }
    if groups == 1:
        return op.convolution_backprop_data(g, node(weight), **settings)
    grouped = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    return op.group_convolution_backprop_data(g, node(grouped), **settings)


def block_side(channels: int, kernel: list[int], stride: list[int]) -> int | None:
    """The side of the blocks that take the fewest multiplications for a position; None where no block takes fewer than
    a position after the other.

    One after the other: k²/s² multiplications, each for `LANES` channels at least. A block of side b = c·s has C·b²
    channels, and the windows that reach it are (⌊(k−1)/s⌋ + c)².
    """
    if len(set(kernel)) > 1 or len(set(stride)) > 1:
        return None
    k, s = kernel[0], stride[0]
    costs: dict[int | None, float] = {None: _lanes(channels) * k**2 / s**2}
    for c in BLOCKS:
        costs[c * s] = _lanes(channels * (c * s) ** 2) * ((k - 1) // s + c) ** 2 / (c * s) ** 2
    return min(costs, key=lambda side: costs[side])


def _lanes(channels: int) -> int:
    return -(-channels // LANES) * LANES


def _by_blocks(g: Any, weight: Tensor, stride: list[int], before: list[int], sides: list[int], block: int) -> Any:
    """As a convolution whose channels are the positions of a block, which are then put in their places (sub-pixel
    convolution, Shi et al. 2016)."""
    k, s, c = weight.shape[2], stride[0], block // stride[0]
    earlier = (k - 1) // s  # windows that begin before a block and reach it
    skipped = [min(b // block, earlier // c) for b in before]  # whole blocks that are padding only
    count = [-(-(b + side) // block) - skip for b, side, skip in zip(before, sides, skipped, strict=True)]
    pads_begin = [earlier - c * skip for skip in skipped]
    pads_end = [
        max(0, (n - 1) * c + earlier + c - cells - b)
        for n, cells, b in zip(count, shape_of(g)[2:], pads_begin, strict=True)
    ]
    blocks = _convolved(g, _block_kernel(weight, s, c, earlier), [c, c], pads_begin, pads_end, [1, 1], 1)
    places = op.depth_to_space(blocks, "depth_first", block)
    first = [b - block * skip for b, skip in zip(before, skipped, strict=True)]
    last = [f + side for f, side in zip(first, sides, strict=True)]
    if first == [0, 0] and shape_of(places)[2:] == sides:
        return places
    return op.slice(places, integers(first), integers(last), integers([1, 1]), integers([2, 3]))


def _block_kernel(weight: Tensor, s: int, c: int, earlier: int) -> Tensor:
    """(C b², O, T, T) of a kernel (O, C, k, k): position r of a block of side b = c s is reached by window u, of T,
    with the kernel's value at r + s (earlier − u), if there is one."""
    out, channels, k, _ = weight.shape
    at = torch.arange(c * s)[:, None] + s * (earlier - torch.arange(earlier + c))  # (b, T)
    there = ((at >= 0) & (at < k)).to(weight)
    values = weight.detach()[:, :, at.clamp(0, k - 1)][..., at.clamp(0, k - 1)]  # (O, C, b, T, b, T)
    values = values * there[:, :, None, None] * there
    size, windows = c * s, earlier + c
    return values.permute(1, 2, 4, 0, 3, 5).reshape(channels * size * size, out, windows, windows)


def _flipped(weight: Tensor, groups: int) -> Tensor:
    out, inner, *kernel = weight.shape
    grouped = weight.reshape(groups, out // groups, inner, *kernel)
    return grouped.transpose(1, 2).flip(3, 4).reshape(groups * inner, out // groups, *kernel)


def _convolved(x: Any, weight: Tensor, stride: Any, before: Any, after: Any, dilation: Any, groups: int) -> Any:
    settings = (list(stride), list(before), list(after), list(dilation))
    if groups == 1:
        return op.convolution(x, node(weight), *settings)
    out, *kernel = weight.shape
    return op.group_convolution(x, node(weight.reshape(groups, out // groups, *kernel)), *settings)
