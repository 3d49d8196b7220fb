"""Gradoscope: see, by six attribution methods side by side, why a pretrained CNN says what it says."""

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

# Imported when they are asked for: the server's web process and the command line need none of them.
_PLACES = {
    "AsyncClient": ".client.async_client",
    "Client": ".client.client",
    "Explanation": ".client.results",
    "Input": ".images.input_spec",
    "Panel": ".client.results",
    "Problem": ".contract.problems",
    "explain": ".client.local",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
