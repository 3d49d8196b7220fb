"""A device that is not the CPU, without one: tensors that say they are elsewhere, and whose values lie on the CPU.

What a GPU refuses is refused: two tensors of different devices in an operation, and `numpy()`. What makes the computer
wait for a GPU is counted: a value that is read, a copy to the CPU, an operation whose result has a size that depends on
values.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
from gradoscope.attribution.classifier import Classifier
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

ELSEWHERE = torch.device("meta")
aten = torch.ops.aten
READS = {aten._local_scalar_dense.default: "item", aten.nonzero.default: "nonzero", aten.equal.default: "equal"}
# these take tensors of the CPU beside those of a GPU
MIXING = {aten.copy_.default, aten._to_copy.default, aten.index.Tensor, aten.index_put_.default, aten.index_put.default}


class OnCard(Tensor):
    """A tensor on the pretended device; `values` are its values, on the CPU."""

    values: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> OnCard:
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, values.shape, strides=values.stride(), storage_offset=values.storage_offset(), dtype=values.dtype,
            device=ELSEWHERE,
        )  # fmt: skip
        made.values = values
        return made  # type: ignore[no-any-return]

    def __init__(self, values: Tensor) -> None:
        pass

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return Card.run(func, args, kwargs or {}, None)


class Card(TorchDispatchMode):  # type: ignore[misc]
    """A mode in which the pretended device can be used. `waits` counts what makes the computer wait for it."""

    def __init__(self, waits: Counter[str] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waits: Counter[str] = Counter() if waits is None else waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(func, args, kwargs or {}, self.waits)

    @staticmethod
    def run(func: Any, args: Any, kwargs: Any, waits: Counter[str] | None) -> Any:
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        here = any(isinstance(tensor, OnCard) for tensor in tensors)
        if here and func not in MIXING:
            others = [t for t in tensors if not isinstance(t, OnCard) and t.dim()]
            if others:
                raise RuntimeError(f"Expected all tensors to be on the same device: {func}")
        wanted = kwargs.get("device")
        goes = wanted is not None and torch.device(wanted) == ELSEWHERE
        if goes:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        leaves = wanted is not None and not goes
        into_cpu = func is aten.copy_.default and not isinstance(args[0], OnCard)
        if waits is not None and here and (func in READS or leaves or into_cpu):
            waits[READS.get(func, "to the CPU")] += 1
        given = tree_map(lambda one: one.values if isinstance(one, OnCard) else one, (args, kwargs))
        found = func(*given[0], **given[1])
        if func in READS or not (here or goes) or leaves or into_cpu:
            return found
        # an operation in place returns what it was given
        known = {id(t.values): t for t in tensors if isinstance(t, OnCard)}
        return tree_map(lambda one: _on_card(one, known) if isinstance(one, Tensor) else one, found)


def _on_card(values: Tensor, known: dict[int, OnCard]) -> Tensor:
    return known[id(values)] if id(values) in known else OnCard(values)


def moved(classifier: Classifier) -> Classifier:
    """A copy of a classifier on the pretended device."""
    made = copy.deepcopy(classifier)
    for module in made.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(OnCard(parameter.detach()), requires_grad=False)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = OnCard(buffer)
    return made
