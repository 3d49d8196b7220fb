"""Keeps PyTorch's compiler out of a process that compiles nothing by it.

Functions of PyTorch that compiled code must not trace call `torch._dynamo.disable` when they first run, and for that
import the compiler: 850 modules, one second in which no other thread runs Python. Every operation on tensors without
numbers has such functions. Where the compiler was never imported, nothing is traced, so `disable` need do nothing.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"
_left_out = False


def leave_compiler_out() -> None:
    """From now on in this process, which must be one of our workers or commands."""
    global _left_out
    _left_out = True


@contextmanager
def without_compiler() -> Iterator[None]:
    """A context in which PyTorch's own functions do not import the compiler; whoever uses more of it still gets it."""
    if not _left_out or NAME in sys.modules:
        yield
        return
    stand_in = sys.modules[NAME] = CompilerStandIn(NAME)
    try:
        yield
    finally:
        if sys.modules.get(NAME) is stand_in:
            del sys.modules[NAME]


class CompilerStandIn(ModuleType):
    """Stands for `torch._dynamo`: `disable` waits until there is a compiler, all else imports it."""

    def disable(self, function: Callable[..., Any], *rest: Any, **options: Any) -> Callable[..., Any]:
        """`function`, disabled for the compiler as soon as that is imported."""
        disabled: Callable[..., Any] | None = None

        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal disabled
            compiler = sys.modules.get(NAME)
            if disabled is None and compiler is not None and not isinstance(compiler, CompilerStandIn):
                disabled = compiler.disable(function, *rest, **options)
            return (disabled or function)(*arguments, **named)

        return call

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python's own, as the import system asks for them
            raise AttributeError(name)
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(importlib.import_module(NAME), name)
