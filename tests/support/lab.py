"""Runs experiments of the lab in this process."""

from __future__ import annotations

from typing import Any

from gradoscope.lab.experiment import Experiment, Figure, Update
from gradoscope.lab.registry import experiments


def updates(name: str, seed: int = 0, **parameters: Any) -> list[Update]:
    """All that a run yields."""
    experiment: Experiment[Any] = experiments()[name]
    return list(experiment.run(experiment.parameters(**parameters), seed))


def result(name: str, seed: int = 0, **parameters: Any) -> Update:
    """What a run has found in the end."""
    return updates(name, seed, **parameters)[-1]


def verdicts(update: Update) -> dict[str, str]:
    """The verdict on each claim."""
    return {finding.id: finding.verdict for finding in update.findings}


def figure(update: Update, name: str) -> Any:
    """The data of a figure."""
    found: dict[str, Figure] = {one.id: one for one in update.figures}
    return found[name].data
