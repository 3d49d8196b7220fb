"""All experiments by their ids, found in `experiments/`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..contract.parsing import did_you_mean
from ..contract.problems import NotFound
from .experiment import Experiment

FOLDER = Path(__file__).parent / "experiments"


@cache
def experiments() -> Mapping[str, Experiment[Any]]:
    """Every experiment by its id, in their order."""
    names = sorted(file.parent.name for file in FOLDER.glob("*/__init__.py"))
    found: list[Experiment[Any]] = [
        importlib.import_module(f"{__package__}.experiments.{name}").EXPERIMENT for name in names
    ]
    return MappingProxyType({one.id: one for one in sorted(found, key=lambda one: one.order)})


def find_experiment(id: str) -> Experiment[Any]:
    """The experiment of that id. Raises `NotFound`."""
    known = experiments()
    if id not in known:
        listed = ", ".join(known)
        raise NotFound(f"There is no experiment «{id[:80]}».{did_you_mean(id, known)} There are: {listed}.")
    return known[id]
