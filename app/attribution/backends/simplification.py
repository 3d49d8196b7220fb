"""A tape with fewer operations: the last steps of a gradient that the convolution before them can do by itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from .tape import Tape, TapeOperation, Value

BACKWARD = "aten.convolution_backward.default"
WEIGHT, GROUPS = 2, 9  # places of its arguments


def simplified(tape: Tape) -> Tape:
    """The same function, where a convolution's input gradient takes over what follows it, if nothing else reads it.

    What padding before a convolution had added is cropped on the way back: such margins are not computed at all. The
    division by the standard deviations of the picture's channels, a matrix D, goes into the kernel: D (Wᵀg) = (W D)ᵀg.
    """
    reads = [value for operation in tape.operations for value in tree_leaves((operation.args, dict(operation.kwargs)))]
    readers = Counter(value.number for value in (*reads, *tape.outputs) if isinstance(value, Value))
    kept: list[TapeOperation] = []
    makers: dict[int, int] = {}  # by the number of a value: where in `kept` it is made
    for operation in tape.operations:
        given = operation.args[0] if operation.args else None
        maker = makers.get(given.number) if isinstance(given, Value) and readers[given.number] == 1 else None
        merged = _merged(kept[maker], operation) if maker is not None else None
        if merged is None:
            makers.update({value.number: len(kept) for value in operation.results if value is not None})
            kept.append(operation)
        else:
            kept[maker] = replace(merged, results=(*operation.results, *merged.results[1:]))  # type: ignore[index]
            makers.update({value.number: maker for value in operation.results})  # type: ignore[union-attr, misc]
    return Tape(tape.inputs, tuple(kept), tape.outputs)


def _merged(before: TapeOperation, operation: TapeOperation) -> TapeOperation | None:
    """An input gradient with the operation that follows it, or None."""
    if before.name != BACKWARD or operation.kwargs:
        return None
    match operation.name, operation.args:
        case "aten.constant_pad_nd.default", (_, [_, _, _, _] as margins, *_) if max(margins) <= 0:
            earlier = before.kwargs.get("margins", (0, 0, 0, 0))
            return replace(before, kwargs={"margins": tuple(e - m for e, m in zip(earlier, margins, strict=True))})
        case "aten.div.Tensor", (_, Tensor() as divisor):
            return _scaled(before, 1 / divisor.double())
        case "aten.mul.Tensor", (_, Tensor() as factor):
            return _scaled(before, factor.double())
    return None


def _scaled(before: TapeOperation, factor: Tensor) -> TapeOperation | None:
    """An input gradient times a factor for each channel, or None where it is no such factor."""
    weight: Any = before.args[WEIGHT]
    channels = weight.shape[1]
    if before.args[GROUPS] != 1 or factor.ndim > 4 or factor.numel() != channels:
        return None
    if factor.ndim < 3 or factor.shape[-3] != channels:
        return None
    scaled = (weight.double() * factor.view(1, -1, 1, 1)).to(weight.dtype)
    return replace(before, args=(*before.args[:WEIGHT], scaled, *before.args[WEIGHT + 1 :]))
