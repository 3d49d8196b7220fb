"""One pass of a network, written down operation by operation: what a compiler needs to know of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from ..without_compiler import without_compiler


class Unsupported(Exception):
    """This network cannot be written down, or not be compiled; the message says why."""


@dataclass(frozen=True)
class Value:
    """The result of an operation, or an input, by its number on the tape."""

    number: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class TapeOperation:
    """An ATen operation. In `args` and `kwargs` tensors are `Value`s, or real tensors where they are constants."""

    name: str  # such as aten.convolution.default
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    results: tuple[Value | None, ...]


@dataclass(frozen=True)
class Tape:
    inputs: tuple[Value, ...]
    operations: tuple[TapeOperation, ...]
    outputs: tuple[Value, ...]


def record(
    network: nn.Module, shapes: tuple[tuple[int, ...], ...], function: Callable[..., tuple[Tensor, ...]]
) -> Tape:
    """What `function(network, *inputs)` does for inputs of these shapes, its backward passes included.

    Nothing is computed but shapes: the network is copied without its numbers. Raises `Unsupported`, or whatever the
    network raises where it cannot do without them.
    """
    real: dict[int, Tensor] = {}  # by the id of a tensor without numbers: the one that it stands for
    memo: dict[int, Any] = {}
    for tensor in (*network.parameters(), *network.buffers()):
        hollow = torch.empty_like(tensor.detach(), device="meta")
        memo[id(tensor)] = nn.Parameter(hollow, requires_grad=False) if isinstance(tensor, nn.Parameter) else hollow
        real[id(memo[id(tensor)])] = tensor.detach()
    copied = copy.deepcopy(network, memo)
    inputs = tuple(torch.empty(shape, device="meta", dtype=torch.float32) for shape in shapes)
    recorder = _Recorder(inputs, real)
    with without_compiler(), _PoolingAsMean(), recorder:
        outputs = function(copied, *inputs)
    numbers = tuple(recorder.value(tensor) for tensor in inputs)
    return Tape(numbers, tuple(recorder.operations), tuple(recorder.value(tensor) for tensor in outputs))


class _PoolingAsMean(TorchFunctionMode):
    """A mode in which average pooling to one value runs as a mean: PyTorch's own pooling would also restride the result
    for channels last."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.nn.functional.adaptive_avg_pool2d and len(args) == 2 and args[1] in (1, (1, 1), [1, 1]):
            return args[0].mean((2, 3), keepdim=True)
        return func(*args, **kwargs)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, inputs: tuple[Tensor, ...], real: dict[int, Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[TapeOperation] = []
        self._real = real
        self._values: dict[int, Value] = {}
        self._kept: list[Tensor] = []  # so that no other tensor takes an identity over
        self._sharing: dict[int, list[int]] = {}  # by storage: ids of the tensors that are views of it
        self._stale: set[int] = set()  # ids of views whose storage was changed in place through another one
        for tensor in inputs:
            self._name(tensor)

    def value(self, tensor: Tensor) -> Value:
        if id(tensor) in self._stale:
            raise Unsupported("a view of what was changed in place")
        if id(tensor) not in self._values:
            raise Unsupported("an output that does not depend on the input")
        return self._values[id(tensor)]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = tree_map(self._look_up, (args, kwargs))  # before: an operation in place changes what it is given
        result = func(*args, **kwargs)
        results = result if isinstance(result, (tuple, list)) else (result,)
        values = [value for value in _leaves(given) if isinstance(value, Value)]
        if not values:
            self._compute(func, given, results)
            return result
        if func._schema.is_mutable:
            self._mutate(args[0], result)
        named = tuple(self._name(tensor) if isinstance(tensor, Tensor) else None for tensor in results)
        self.operations.append(TapeOperation(str(func), given[0], given[1], named))
        return result

    def _look_up(self, argument: Any) -> Any:
        if not isinstance(argument, Tensor):
            return argument
        if id(argument) in self._real:
            return self._real[id(argument)]
        if argument.device.type != "meta":
            return argument  # made by the network on its way: a constant
        return self.value(argument)

    def _compute(self, func: Any, given: Any, results: Any) -> None:
        """Constants alone make a constant."""
        if func._schema.is_mutable:
            raise Unsupported(f"{func} changes a constant")
        args, kwargs = given
        if "device" in kwargs:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        computed = func(*args, **kwargs)
        computed = computed if isinstance(computed, (tuple, list)) else (computed,)
        for tensor, constant in zip(results, computed, strict=True):
            if isinstance(tensor, Tensor):
                self._kept.append(tensor)
                self._real[id(tensor)] = constant

    def _mutate(self, target: Tensor, result: Any) -> None:
        if result is not target:
            raise Unsupported("an operation that changes several tensors")
        storage = target.untyped_storage()._cdata
        self._stale.update(self._sharing.get(storage, ()))
        self._sharing[storage] = []
        self._stale.discard(id(target))

    def _name(self, tensor: Tensor) -> Value:
        self._kept.append(tensor)
        self._sharing.setdefault(tensor.untyped_storage()._cdata, []).append(id(tensor))
        self._stale.discard(id(tensor))
        value = self._values[id(tensor)] = Value(len(self._kept), tuple(tensor.shape))
        return value


def _leaves(tree: Any) -> list[Any]:
    return torch.utils._pytree.tree_leaves(tree)
