"""Imports torchvision and timm without PyTorch's compiler, which neither needs to build a network.

Both touch the compiler (`torch._dynamo`) once while they are imported: torchvision.ops.roi_align takes a function from
it that it calls for detectors, and timm decorates one method by `torch.compiler.disable`. The compiler's 1300 modules
take about two seconds in each worker and command. So there stand-ins are in the place of both while they are imported;
these import the compiler when they are called. Another program that uses this library may compile networks of timm
itself: it has the plain imports.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

from ..attribution.without_compiler import leave_compiler_out

COMPILER = "torch._dynamo.utils"
_without_compiler = False


def torchvision_models() -> ModuleType:
    """`torchvision.models`."""
    return _imported("torchvision.models")


def timm_library() -> ModuleType:
    """`timm`, which imports torchvision too."""
    return _imported("timm")


def import_without_compiler() -> None:
    """From now on in this process, which must be one of our workers or commands."""
    global _without_compiler
    _without_compiler = True
    leave_compiler_out()


def _imported(name: str) -> ModuleType:
    if not _without_compiler or name in sys.modules or COMPILER in sys.modules:
        return importlib.import_module(name)
    with _compiler_on_demand():
        return importlib.import_module(name)


@contextmanager
def _compiler_on_demand() -> Iterator[None]:
    import torch

    stand_in = sys.modules[COMPILER] = CompilerOnDemand(COMPILER)
    try:
        with patch.object(torch.compiler, "disable", functools.partial(_disable_on_demand, torch.compiler.disable)):
            yield
    finally:
        if sys.modules.get(COMPILER) is stand_in:
            del sys.modules[COMPILER]


class CompilerOnDemand(ModuleType):
    """Stands for `torch._dynamo.utils`, and imports it when something of it is used."""

    def is_compile_supported(self, device: Any) -> Any:
        """The compiler's function of this name."""
        return _compiler(self).is_compile_supported(device)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python's own, as the import system asks for them
            raise AttributeError(name)
        return getattr(_compiler(self), name)


def _compiler(stand_in: ModuleType) -> ModuleType:
    if sys.modules.get(COMPILER) is stand_in:
        del sys.modules[COMPILER]
    return importlib.import_module(COMPILER)


def _disable_on_demand(disable: Callable[..., Any], function: Any = None, *rest: Any, **options: Any) -> Any:
    """`disable(function)`, not before the function is called."""
    if function is None or rest or options:
        return disable(function, *rest, **options)

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        return disable(function)(*arguments, **named)

    return call
