"""Hooks that are gone when they should be, and that no copy of a model takes along."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch


class Handle(Protocol):
    def remove(self) -> None: ...


class Hooks:
    """Handles that are removed together."""

    def __init__(self) -> None:
        self._handles: list[Handle] = []

    def add(self, handle: Handle) -> None:
        self._handles.append(handle)

    def remove(self) -> None:
        while self._handles:
            self._handles.pop().remove()


class Hook:
    """A function as a hook. It returns nothing, so it changes nothing.

    A copy of it, made where a model is copied or saved as a whole within a watched loop, does nothing and needs none of
    our code. In what torch.compile traces it does nothing either.
    """

    def __init__(self, function: Callable[..., None], *first: Any) -> None:
        self._function = partial(function, *first)

    def __call__(self, *arguments: Any) -> None:
        if not torch.compiler.is_compiling():
            self._function(*arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")  # of the standard library: takes anything, does nothing
