"""Copies of a network, whatever it keeps in its attributes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import partial
from types import CellType, FunctionType, MethodType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .torch_state import clean_state

M = TypeVar("M", bound=nn.Module)


def copied(network: M, *, share: bool = True, memo: dict[int, Any] | None = None) -> M:
    """A copy of a network; with `share` its parameters and buffers are the same tensors.

    Tensors that it keeps elsewhere, such as activations in a list, are copied as values, without the graph that they
    came from, which `copy.deepcopy` refuses. A function that it keeps, such as a `forward` of its own or a hook, and
    that refers to the network, refers to the copy there. `memo` is that of `copy.deepcopy`: by id, what stands for an
    object in the copy. Raises what `copy.deepcopy` does.
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


def _rebind(value: object, copies: Mapping[int, Any], depth: int = 5) -> Any:
    """`value`; where it is, or holds, a function that refers to something copied, the function refers to the copy.

    A function that `torch.compile` has made is replaced by the one that it was made of.
    """
    value = getattr(value, "_torchdynamo_orig_callable", value) if isinstance(value, FunctionType) else value
    if isinstance(value, MethodType) and id(value.__self__) in copies:
        return MethodType(value.__func__, copies[id(value.__self__)])
    if depth and isinstance(value, FunctionType):
        return _rebound(value, copies, depth - 1)
    if depth and isinstance(value, partial):
        function = _rebind(value.func, copies, depth - 1)
        return value if function is value.func else partial(function, *value.args, **value.keywords)
    if depth and isinstance(value, (dict, list)):
        for place, part in value.items() if isinstance(value, dict) else enumerate(value):
            if (new := _rebind(part, copies, depth - 1)) is not part:
                value[place] = new
    return value


def _rebound(function: FunctionType, copies: Mapping[int, Any], depth: int) -> FunctionType:
    """A function that refers to copies by what it closes over, by its defaults and by global names; the same function
    if it refers to nothing that was copied."""
    closure, defaults = function.__closure__ or (), function.__defaults__ or ()
    keywords, scope = function.__kwdefaults__ or {}, function.__globals__
    named = {name: scope[name] for name in function.__code__.co_names if name in scope}

    def new(value: Any) -> Any:
        if id(value) in copies:
            return copies[id(value)]
        return _rebind(value, copies, depth) if isinstance(value, (FunctionType, MethodType, partial)) else value

    held = [(cell, _content(cell)) for cell in closure]
    cells = tuple(cell if (made := new(one)) is one else CellType(made) for cell, one in held)
    new_defaults, new_keywords = tuple(map(new, defaults)), {name: new(value) for name, value in keywords.items()}
    replaced = {name: copies[id(value)] for name, value in named.items() if id(value) in copies}
    pairs = zip((*cells, *new_defaults, *new_keywords.values()), (*closure, *defaults, *keywords.values()), strict=True)
    if not replaced and all(one is other for one, other in pairs):
        return function
    names = scope | replaced if replaced else scope
    copied_function = FunctionType(function.__code__, names, function.__name__, new_defaults or None, cells or None)
    copied_function.__kwdefaults__ = new_keywords or None
    copied_function.__dict__.update(function.__dict__)
    return copied_function


def _content(cell: CellType) -> Any:
    """What a cell of a closure holds; None for an empty one."""
    try:
        return cell.cell_contents
    except ValueError:
        return None
