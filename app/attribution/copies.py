"""Copies of a network, whatever it keeps in its attributes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .torch_state import clean_state

M = TypeVar("M", bound=nn.Module)


def copied(network: M, *, share: bool = True, memo: dict[int, Any] | None = None) -> M:
    """A copy of a network; with `share` its parameters and buffers are the same tensors.

    Tensors that it keeps elsewhere, such as activations in a list, are copied as values, without the graph that they
    came from, which `copy.deepcopy` refuses. `memo` says by id what stands for what. Raises what `copy.deepcopy` does.
    """
    memo = {} if memo is None else memo
    if share:
        for tensor in (*network.parameters(), *network.buffers()):
            memo.setdefault(id(tensor), tensor)
    parameters = set(map(id, network.parameters()))
    with clean_state(), torch.no_grad():  # copies of scripted modules would else not be leaves
        for module in network.modules():
            for tensor in _tensors(vars(module)):
                if id(tensor) not in parameters and id(tensor) not in memo:
                    memo[id(tensor)] = tensor.detach().clone()
        return copy.deepcopy(network, memo)


def _tensors(value: object, depth: int = 8) -> Iterator[Tensor]:
    """The tensors in a value, and in lists, tuples, sets and mappings in it."""
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part, depth - 1)
    elif depth and isinstance(value, (list, tuple, set)):
        for part in value:
            yield from _tensors(part, depth - 1)
