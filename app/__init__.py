"""Gradoscope: explains the scores of pretrained CNNs by attribution methods, side by side."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .contract import version

if TYPE_CHECKING:
    from .client.async_client import AsyncClient
    from .client.client import Client
    from .client.local import explain
    from .client.results import Explanation, Panel
    from .contract.problems import Problem
    from .images.input_spec import Input

__version__ = version.VERSION
__all__ = ["AsyncClient", "Client", "Explanation", "Input", "Panel", "Problem", "explain"]

# Imported at first use: the server's web process and the command line need none of them.
_MODULES = {
    "AsyncClient": ".client.async_client",
    "Client": ".client.client",
    "Explanation": ".client.results",
    "Input": ".images.input_spec",
    "Panel": ".client.results",
    "Problem": ".contract.problems",
    "explain": ".client.local",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
