"""The table of translations from PyTorch's operations to OpenVINO's, and their shared helpers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
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


@dataclass
class Weights:
    """What a graph in the making takes of the network's weights without a copy."""

    in_place: list[tuple[Any, np.ndarray]] = field(default_factory=list)  # parameters of the graph, and their values
    shared: set[int] = field(default_factory=set)  # addresses that a constant shares with PyTorch


_weights: ContextVar[Weights] = ContextVar("weights of the graph in the making")


@contextmanager
def collected_weights() -> Iterator[Weights]:
    """A context in which one graph is made; what `read_in_place` and `node` take is noted."""
    token = _weights.set(Weights())
    try:
        yield _weights.get()
    finally:
        _weights.reset(token)


def read_in_place(weight: Tensor) -> Any:
    """A parameter of the graph for a contiguous weight, (N, K): it is read where PyTorch has it. Of a constant the
    compiler would make a packed copy for each of its uses."""
    values = weight.detach().numpy()
    # of no declared length: for an input of a known shape each stream would take memory of its own, never used
    made = op.parameter(ov.PartialShape([-1, values.shape[1]]), np.float32)
    _weights.get().in_place.append((made, values))
    return made.output(0)


def node(value: Any) -> Any:
    """A constant node for a tensor or a number; a node is returned as it is. A contiguous tensor is not copied."""
    if isinstance(value, Tensor):
        values = np.ascontiguousarray(value.detach().cpu().numpy())
        # OpenVINO knows packed weights by the address of what they were made of, so that those of a square matrix and
        # of its transpose would be confused: an address stands for one constant only
        shared, address = _weights.get().shared, values.ctypes.data
        if address in shared:
            return op.constant(values)
        shared.add(address)
        return op.constant(values, shared_memory=True)
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
