"""Translations of operations that move values without changing them."""

from __future__ import annotations

import math
from typing import Any

from .runtime import op
from .translation import integers, node, shape_of, translates


@translates("detach.default", "clone.default", "alias.default", "contiguous.default", "lift_fresh.default")
def same(x: Any, **_: Any) -> Any:
    return x


@translates("view.default", "_unsafe_view.default", "reshape.default")
def view(x: Any, shape: Any) -> Any:
    rest = math.prod(side for side in shape if side != -1)
    whole = math.prod(shape_of(x))
    return op.reshape(node(x), integers([whole // rest if side == -1 else side for side in shape]), False)


@translates("expand.default")
def expand(x: Any, shape: Any, **_: Any) -> Any:
    own = shape_of(x)
    own = [1] * (len(shape) - len(own)) + own
    return op.broadcast(node(x), integers([o if side == -1 else side for side, o in zip(shape, own, strict=True)]))


@translates("permute.default")
def permute(x: Any, order: Any) -> Any:
    return op.transpose(node(x), integers([axis % len(order) for axis in order]))


@translates("transpose.int")
def transpose(x: Any, first: int, second: int) -> Any:
    order = list(range(len(shape_of(x))))
    order[first], order[second] = order[second], order[first]
    return op.transpose(node(x), integers(order))


@translates("t.default")
def t(x: Any) -> Any:
    return op.transpose(node(x), integers([1, 0]))


@translates("squeeze.dim", "squeeze.dims")
def squeeze(x: Any, axes: Any) -> Any:
    shape = shape_of(x)
    gone = [axis % len(shape) for axis in ([axes] if isinstance(axes, int) else axes)]
    return op.reshape(x, integers([side for i, side in enumerate(shape) if i not in gone or side != 1]), False)


@translates("unsqueeze.default")
def unsqueeze(x: Any, axis: int) -> Any:
    shape = shape_of(x)
    shape.insert(axis % (len(shape) + 1), 1)
    return op.reshape(x, integers(shape), False)


@translates("cat.default")
def cat(parts: Any, axis: int = 0) -> Any:
    return op.concat([node(part) for part in parts], axis)


@translates("slice.Tensor")
def slice_(x: Any, axis: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    bounds = range(shape_of(x)[axis])[start:end]
    return op.slice(x, integers([bounds.start]), integers([bounds.stop]), integers([step]), integers([axis]))


@translates("split.Tensor")
def split(x: Any, size: int, axis: int = 0) -> Any:
    return tuple(slice_(x, axis, start, start + size) for start in range(0, shape_of(x)[axis], size))


@translates("stack.default")
def stack(parts: Any, axis: int = 0) -> Any:
    return op.concat([unsqueeze(node(part), axis) for part in parts], axis)


@translates("select.int")
def select(x: Any, axis: int, index: int) -> Any:
    start = index % shape_of(x)[axis]
    return squeeze(slice_(x, axis, start, start + 1), axis)


@translates("select_backward.default")
def select_backward(g: Any, shape: Any, axis: int, index: int) -> Any:
    start = index % shape[axis]
    return slice_backward(unsqueeze(g, axis % len(shape)), shape, axis, start, start + 1, 1)


@translates("unbind.int")
def unbind(x: Any, axis: int = 0) -> Any:
    return tuple(select(x, axis, index) for index in range(shape_of(x)[axis]))


@translates("roll.default")
def roll(x: Any, shifts: Any, axes: Any) -> Any:
    return op.roll(x, integers(shifts), integers(axes))


@translates("constant_pad_nd.default")
def pad(x: Any, margins: Any, value: float = 0) -> Any:
    """`margins` begin with the last axis; negative ones crop, in both libraries."""
    before, after = [0] * len(shape_of(x)), [0] * len(shape_of(x))
    for i in range(len(margins) // 2):
        before[-1 - i], after[-1 - i] = margins[2 * i], margins[2 * i + 1]
    return op.pad(x, integers(before), integers(after), "constant", node(value))


@translates("slice_backward.default")
def slice_backward(g: Any, shape: Any, axis: int, start: int, end: int, step: int) -> Any:
    bounds = range(shape[axis])[start:end]
    before, after = [0] * len(shape), [0] * len(shape)
    before[axis], after[axis] = bounds.start, shape[axis] - bounds.stop
    return op.pad(g, integers(before), integers(after), "constant", node(0.0))
