"""Runs the experiment: all networks of all algorithms, task by task."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from ....contract.experiments import Axis, LinesData, Number, Series
from ...experiment import Figure, Update
from ...intervals import interval_series
from ...values import numbers
from . import PlasticityParameters
from .findings import fifths, findings, of_correction
from .learners import ALGORITHMS, Learners
from .measures import Record, by_algorithm
from .problem import Problem

TOGETHER = 500
"""Steps between two turns of others."""

POINTS = 40
"""Of a curve: each is the mean of several tasks where there are more."""

SHOWN = 500
"""Ages of a unit in the figure of the correction."""


def run(parameters: PlasticityParameters, seed: int) -> Iterator[Update]:
    """Draws the problems from the seed, and weights from a generator of their own: algorithms have the same tasks."""
    total = parameters.tasks * parameters.steps_per_task + 1
    algorithms = ALGORITHMS if parameters.algorithm == "all" else (parameters.algorithm,)
    found: dict[str, Any] = {"uncorrected": float(_counted(parameters, parameters.maturity)[-1])}
    correction, said = _correction(parameters), of_correction(parameters, found)
    yield Update(1, total, (correction,), found, (said,))
    problem = Problem(parameters.seeds, torch.Generator().manual_seed(seed))
    learners = Learners(parameters, algorithms, torch.Generator().manual_seed(seed + 1))
    record = Record(algorithms)
    every = max(1, parameters.tasks // POINTS)
    for task in range(parameters.tasks):
        given = problem.task(parameters.steps_per_task, first=task == 0)
        apart: list[Tensor] = []
        parts = zip(torch.split(given.inputs, TOGETHER), torch.split(given.targets, TOGETHER), strict=True)
        for inputs, targets in parts:
            apart.append(learners.learn(inputs, targets))
            yield Update(1 + min(learners.steps, total - 2), total)
        record.add(learners, problem, torch.cat(apart), given.targets)
        if (task + 1) % every == 0:
            yield Update(1 + min(learners.steps, total - 2), total, _figures(record, every))
    found |= _numbers(parameters, record, learners)
    drawn = (*_figures(record, every), correction)
    yield Update(total, total, drawn, found, (*findings(parameters, record), said))


def _numbers(parameters: PlasticityParameters, record: Record, learners: Learners) -> dict[str, Any]:
    names = record.algorithms
    early, late = fifths(record)
    found: dict[str, Any] = {
        "error_by_task": by_algorithm(names, record.errors),
        "dead_units": by_algorithm(names, record.dead),
        "weight_size": by_algorithm(names, record.sizes),
        "effective_rank": by_algorithm(names, record.ranks),
        "first_errors": [float(one[0].mean()) for one in record.errors[:10]],
        "early_error": dict(zip(names, early.mean(1).tolist(), strict=True)),
        "late_error": dict(zip(names, late.mean(1).tolist(), strict=True)),
    }
    if learners.replacement:
        found["replaced"] = learners.replacement.replaced / parameters.seeds
        found["replaced_age"] = learners.replacement.median_age
    return found


def _figures(record: Record, every: int) -> tuple[Figure, ...]:
    """Curves of means over `every` tasks, of the tasks that are complete so far."""
    points = len(record.errors) // every
    ends: list[int] = [every * (point + 1) for point in range(points)]
    relative = torch.stack([record.relative(end - every, end) for end in ends])

    def curves(name: str, axis: str, values: Tensor) -> Figure:
        series = [interval_series(one, ends, values[:, place]) for place, one in enumerate(record.algorithms)]
        return Figure(name, LinesData(x=Axis(id="task"), y=Axis(id=axis), series=series))

    def meant(values: list[Tensor]) -> Tensor:
        return torch.stack([torch.stack(values[end - every : end]).mean(0) for end in ends])

    return (
        curves("relative", "relative", relative),
        curves("error", "error", meant(record.errors)),
        curves("dead", "share", meant(record.dead)),
        curves("rank", "rank", meant(record.ranks)),
        curves("size", "size", meant(record.sizes)),
    )


def _counted(parameters: PlasticityParameters, ages: int) -> Tensor:
    """The running average of a unit that is worth 1 at every step, at ages from 1."""
    eta = parameters.utility_decay
    return torch.tensor(list(accumulate([1 - eta] * ages, lambda before, new: eta * before + new)), dtype=torch.float64)


def _correction(parameters: PlasticityParameters) -> Figure:
    """The average as it stands, and divided by 1 − ηᵃ."""
    counted = _counted(parameters, SHOWN)
    ages: list[Number] = list(range(1, SHOWN + 1))
    powers = torch.tensor(ages, dtype=torch.float64)
    corrected = counted / (1 - parameters.utility_decay**powers)
    at = min(parameters.maturity, SHOWN)
    series = [
        Series(id="counted", x=ages, y=numbers(counted)),
        Series(id="corrected", x=ages, y=numbers(corrected)),
        Series(id="maturity", x=[at], y=[float(counted[at - 1])], style="points"),
    ]
    return Figure("correction", LinesData(x=Axis(id="age"), y=Axis(id="utility"), series=series))
