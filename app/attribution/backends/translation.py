"""The table of translations from PyTorch's operations to OpenVINO's, and their shared helpers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from .runtime import op, ov

Translator = Callable[..., Any]
TRANSLATORS: dict[str, Translator] = {}  # by ATen's name without `aten.`


def translates(*names: str) -> Callable[[Translator], Translator]:
    """A decorator for the translation of an operation. The function gets the operation's arguments, with nodes or
    constant tensors for its tensors, and returns the result or a tuple of results."""

    def keep(translator: Translator) -> Translator:
        TRANSLATORS.update(dict.fromkeys(names, translator))
        return translator

    return keep


def node(value: Any) -> Any:
    """A constant node for a tensor or a number; a node is returned as it is."""
    if isinstance(value, Tensor):
        return op.constant(np.ascontiguousarray(value.detach().cpu().numpy()))
    if isinstance(value, (int, float)):
        return op.constant(np.float32(value))
    return value


def integers(values: Any) -> Any:
    return op.constant(np.asarray(values, np.int64))


def shape_of(value: Any) -> list[int]:
    if isinstance(value, Tensor):
        return list(value.shape)
    output = value.output(0) if isinstance(value, ov.Node) else value
    return [int(side) for side in output.get_shape()]


def is_broadcast(value: Any) -> bool:
    """Whether it repeats a smaller array."""
    return isinstance(value, ov.Output) and bool(value.get_node().get_type_name() == "Broadcast")


def channelwise(values: Tensor, rank: int) -> Any:
    """A constant (C) in a shape that broadcasts with arrays (N, C, …)."""
    return node(values.view([1, -1, *[1] * (rank - 2)]))
