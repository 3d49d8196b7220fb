"""What is said of networks that learn for ever, and what the run says."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....contract.experiments import ExperimentFinding, Verdict
from ...intervals import Interval, interval
from . import Algorithm, PlasticityParameters
from .measures import Record

MARGIN = 0.05
"""A rise of the error over the variance that is too small to be called forgetting."""


def fifth(tasks: int) -> int:
    """How many tasks count as early, and as late."""
    return max(1, tasks // 5)


def fifths(record: Record) -> tuple[Tensor, Tensor]:
    """The relative error over the first and over the last fifth of the tasks, (algorithms, seeds)."""
    tasks = len(record.errors)
    return record.relative(0, fifth(tasks)), record.relative(tasks - fifth(tasks), tasks)


def of_correction(parameters: PlasticityParameters, found: dict[str, Any]) -> ExperimentFinding:
    """A running average that began at 0 counts too little while a unit is young: within 1 % is close enough."""
    verdict: Verdict = "holds" if found["uncorrected"] > 0.99 else "fails"
    return ExperimentFinding(id="correction", verdict=verdict, numbers={
        "age": parameters.maturity, "eta": parameters.utility_decay, "counted": found["uncorrected"]})  # fmt: skip


def findings(parameters: PlasticityParameters, record: Record) -> tuple[ExperimentFinding, ...]:
    early, late = fifths(record)
    said = [_keeps(name, place, early, late) for place, name in enumerate(record.algorithms)]
    if "backprop" in record.algorithms:
        said += [_gains(name, record, late) for name in record.algorithms if name != "backprop"]
    if {"backprop", "continual"} <= set(record.algorithms):
        said += _inside(record)
    return tuple(said)


def _keeps(name: Algorithm, place: int, early: Tensor, late: Tensor) -> ExperimentFinding:
    """«It keeps on learning»: fails where its error has risen by more than chance, holds where a rise is below the
    margin on all of the interval; else the seeds cannot tell, for no proven rise is no proof that there is none."""
    change = interval(late[place] - early[place])
    verdict: Verdict = "fails" if change.low > 0 else "holds" if change.high < MARGIN else "depends"
    return ExperimentFinding(id=f"keeps_{name}", verdict=verdict, numbers={
        "early": float(early[place].mean()), "late": float(late[place].mean()), **_ends("change", change),
        "margin": MARGIN, "seeds": late.shape[1]})  # fmt: skip


def _gains(name: Algorithm, record: Record, late: Tensor) -> ExperimentFinding:
    """«It learns late tasks better than backprop», by the differences within a seed."""
    place, plain = record.algorithms.index(name), record.algorithms.index("backprop")
    gain = interval(late[plain] - late[place])
    return ExperimentFinding(id=f"gains_{name}", verdict=gain.verdict, numbers={
        "backprop": float(late[plain].mean()), "own": float(late[place].mean()), **_ends("gain", gain)})  # fmt: skip


def _inside(record: Record) -> list[ExperimentFinding]:
    """How backprop's networks change: units that die, weights that grow, a rank that falls; continual's at the end."""
    place, other = (record.algorithms.index(name) for name in ("backprop", "continual"))
    window = fifth(len(record.errors))
    found = []
    for name, values, sign in (("dead", record.dead, 1), ("grows", record.sizes, 1), ("rank", record.ranks, -1)):
        every = torch.stack(values)
        first, last = every[:window].mean(0), every[-window:].mean(0)
        change = interval(sign * (last[place] - first[place]))
        found.append(ExperimentFinding(id=name, verdict=change.verdict, numbers={
            "early": float(first[place].mean()), "late": float(last[place].mean()), **_ends("change", change),
            "continual": float(last[other].mean())}))  # fmt: skip
    return found


def _ends(name: str, value: Interval) -> dict[str, float]:
    return {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
