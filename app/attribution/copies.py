"""Copies of a network, whatever it keeps in its attributes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import partial
from types import CellType, FunctionType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .torch_state import clean_state

M = TypeVar("M", bound=nn.Module)


def copied(network: M, *, share: bool = True, memo: dict[int, Any] | None = None) -> M:
    """A copy of a network; with `share` its parameters and buffers are the same tensors.

    Tensors that it keeps elsewhere, such as activations in a list, are copied as values, without the graph that they
    came from, which `copy.deepcopy` refuses. A function that it keeps, such as a `forward` of its own or a hook, and
    that refers to the network, refers to the copy there. `memo` says by id what stands for what. Raises what
    `copy.deepcopy` does.
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
        made = copy.deepcopy(network, memo)
    parts = (*network.modules(), *network.parameters(), *network.buffers())
    copies = {id(part): memo[id(part)] for part in parts if id(part) in memo}
    for module in made.modules():
        _rebind(vars(module), copies)
    return made


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


def _rebind(value: object, copies: Mapping[int, Any], depth: int = 8) -> Any:
    """`value`, with copies in the place of what they were made of in the functions that it is or holds."""
    if isinstance(value, FunctionType):
        return _rebound(value, copies)
    if isinstance(value, partial):
        function = _rebind(value.func, copies, depth)
        return value if function is value.func else partial(function, *value.args, **value.keywords)
    if depth and isinstance(value, (dict, list)):
        for place, part in value.items() if isinstance(value, dict) else enumerate(value):
            new = _rebind(part, copies, depth - 1)
            if new is not part:
                value[place] = new
    return value


def _rebound(function: FunctionType, copies: Mapping[int, Any]) -> FunctionType:
    """A function that refers to copies by what it closes over, by its defaults and by global names; the same function
    if it refers to nothing that was copied."""
    closure, defaults = function.__closure__ or (), function.__defaults__ or ()
    keywords, scope = function.__kwdefaults__ or {}, function.__globals__
    named = {name: scope[name] for name in function.__code__.co_names if name in scope}
    referred = (*map(_content, closure), *defaults, *keywords.values(), *named.values())
    if not any(id(value) in copies for value in referred):
        return function

    def new(value: Any) -> Any:
        return copies.get(id(value), value)

    made = FunctionType(
        function.__code__,
        scope | {name: new(value) for name, value in named.items()},
        function.__name__,
        tuple(map(new, defaults)) or None,
        tuple(CellType(new(_content(cell))) if id(_content(cell)) in copies else cell for cell in closure) or None,
    )
    made.__kwdefaults__ = {name: new(value) for name, value in keywords.items()} or None
    made.__dict__.update(function.__dict__)
    return made


def _content(cell: CellType) -> Any:
    """What a cell of a closure holds; None for an empty one."""
    try:
        return cell.cell_contents
    except ValueError:
        return None
