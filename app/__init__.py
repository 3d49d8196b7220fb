"""Gradoscope: explains the scores of image classifiers by attribution methods, side by side."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .contract import version

if TYPE_CHECKING:
    from .client.async_client import AsyncClient
    from .client.client import Client
    from .client.experiments import Experiment
    from .client.folder_run import FolderRun
    from .client.lab import experiment
    from .client.local import explain
    from .client.results import Explanation, Panel
    from .client.runs import read_run
    from .client.saved import load, load_all
    from .contract.problems import Problem
    from .contract.regions import run_lengths
    from .images.input_spec import Input
    from .lab.runs.watch import watch

__version__ = version.VERSION
__all__ = [
    "AsyncClient",
    "Client",
    "Experiment",
    "Explanation",
    "FolderRun",
    "Input",
    "Panel",
    "Problem",
    "experiment",
    "explain",
    "load",
    "load_all",
    "read_run",
    "run_lengths",
    "watch",
]

# Imported at first use: the server's web process and the command line need none of them.
_MODULES = {
    "AsyncClient": ".client.async_client",
    "Client": ".client.client",
    "Experiment": ".client.experiments",
    "Explanation": ".client.results",
    "FolderRun": ".client.folder_run",
    "Input": ".images.input_spec",
    "Panel": ".client.results",
    "Problem": ".contract.problems",
    "experiment": ".client.lab",
    "explain": ".client.local",
    "load": ".client.saved",
    "load_all": ".client.saved",
    "read_run": ".client.runs",
    "run_lengths": ".contract.regions",
    "watch": ".lab.runs.watch",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
