"""Runs the experiment: the estimators at once, then the training of all networks, then the flips of weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ....contract.experiments import Axis, HistogramData, LinesData, Series, TableData
from ...experiment import Figure, Update
from ...intervals import interval, interval_series
from ...values import numbers
from . import BinaryParameters, Estimator
from .estimators import ESTIMATORS, ede_t, signs, slope, surrogate
from .findings import findings, of_sign
from .training import PROGRESSES, Training, train

REACH, POINTS = 2.5, 501
BINS = 40
SILENT = 0.01
"""A weight whose slope is below this counts as one that no gradient reaches."""


def run(parameters: BinaryParameters, seed: int) -> Iterator[Update]:
    """Draws weights, then the problem, then the batches, then which weights are flipped."""
    t = ede_t(parameters.t_min, parameters.t_max, parameters.progress)
    total = parameters.train_steps + 2
    found = _of_estimators(parameters, t)
    drawn: tuple[Figure, ...] = (_slopes(t), _forward(parameters.estimator, t))
    said = of_sign(parameters, found)
    yield Update(1, total, drawn, found, (said,))
    training: Training | None = None
    seen = -1
    for done, training in train(parameters, seed):
        new = len(training.at) > seen and training.at != []
        seen = len(training.at) if new else seen
        yield Update(min(done + 1, total - 1), total, _over_updates(parameters, training) if new else ())
    assert training is not None
    found |= _numbers(parameters, training, t)
    drawn = (*drawn, *_over_updates(parameters, training), _agreement(training), _weights(training), _table(training))
    yield Update(total, total, drawn, found, (said, *findings(parameters, training, found)))


def _of_estimators(parameters: BinaryParameters, t: float) -> dict[str, Any]:
    places = torch.tensor([0.0, 1.0], dtype=torch.float64)
    slopes = slope(parameters.estimator, places, t).tolist()
    normal = torch.special.ndtri((torch.arange(4000, dtype=torch.float64) + 0.5) / 4000)
    distances = {one: float((surrogate(one, normal, t) - signs(normal)).abs().mean()) for one in ESTIMATORS}
    return {
        "derivative": {"0": slopes[0], "1": slopes[1]},
        "t": t,
        "k": max(1 / t, 1.0),
        "distance": distances,
    }


def _numbers(parameters: BinaryParameters, training: Training, t: float) -> dict[str, Any]:
    """Means over the seeds, of the networks of the estimator asked for, and of those balanced the other way."""
    asked, other = ESTIMATORS.index(parameters.estimator), len(ESTIMATORS)
    entropies, errors = training.entropies[-1].mean(1).tolist(), training.errors[-1].mean(1).tolist()
    assert training.flips is not None
    here = slope(parameters.estimator, training.last, t)
    at_end = slope(parameters.estimator, training.last, parameters.t_max)
    agreements = dict(zip(ESTIMATORS, training.agreements[:, 0].mean(1).tolist(), strict=True))
    found: dict[str, Any] = {
        "entropy": entropies[asked],
        "entropy_other": entropies[other],
        "start_entropy": float(training.entropies[0][asked].mean()),
        "quantisation_error": errors[asked],
        "quantisation_error_other": errors[other],
        "start_quantisation_error": float(training.errors[0][asked].mean()),
        "silent": float((here < SILENT).float().mean()),
        "silent_at_end": float((at_end < SILENT).float().mean()),
        "agreement": agreements | {"ede": float(training.flips.agreement("ede", t).mean())},
    }
    if parameters.train_steps:
        accuracies = training.accuracy.mean(1).tolist()
        found["accuracy"] = accuracies[asked]
        found["accuracy_other"] = accuracies[other]
        found["flipped"] = float((signs(training.first) != signs(training.last)).float().mean())
        found["accuracies"] = dict(zip(ESTIMATORS, accuracies, strict=False))
    return found


def _lines(name: str, x: str, y: str, series: list[Series]) -> Figure:
    return Figure(name, LinesData(x=Axis(id=x), y=Axis(id=y), series=series))


def _places() -> Tensor:
    return torch.linspace(-REACH, REACH, POINTS, dtype=torch.float64)


def _forward(estimator: Estimator, t: float) -> Figure:
    x = _places()
    left = x < 0
    sign = Series(id="sign", x=[*numbers(x[left]), 0, *numbers(x[~left])],
                  y=[*numbers(signs(x[left])), None, *numbers(signs(x[~left]))])  # fmt: skip
    used = Series(id=estimator, x=numbers(x), y=numbers(surrogate(estimator, x, t)))
    return _lines("forward", "x", "output", [sign, used])


def _slopes(t: float) -> Figure:
    x = _places()
    series = [Series(id=one, x=numbers(x), y=numbers(slope(one, x, t))) for one in ESTIMATORS]
    return _lines("slopes", "x", "slope", series)


def _over_updates(parameters: BinaryParameters, training: Training) -> tuple[Figure, ...]:
    """Accuracy of the estimators, from the second look on: the first is chance, and would flatten all differences.

    And the entropy with and without balance. None where nothing is trained.
    """
    if len(training.at) < 2:
        return ()
    accuracies, entropies = torch.stack(training.accuracies), torch.stack(training.entropies)
    asked = ESTIMATORS.index(parameters.estimator)
    ways = ("balanced", "plain") if parameters.balanced else ("plain", "balanced")
    return (
        _lines("accuracy", "update", "accuracy", [
            interval_series(one, training.at[1:], accuracies[1:, place]) for place, one in enumerate(ESTIMATORS)]),
        _lines("entropy", "update", "bits", [
            interval_series(way, training.at, entropies[:, group])
            for way, group in sorted(zip(ways, (asked, len(ESTIMATORS)), strict=True))]),
    )  # fmt: skip


def _agreement(training: Training) -> Figure:
    series = [interval_series(one, PROGRESSES, training.agreements[place]) for place, one in enumerate(ESTIMATORS)]
    return _lines("agreement", "progress", "correlation", series)


def _weights(training: Training) -> Figure:
    """What the signs are taken of, over its own spread, so that start and end fit one axis."""
    edges = torch.linspace(-3, 3, BINS + 1, dtype=torch.float64)
    series = [
        Series(id=name, x=[], y=torch.histogram((one / one.square().mean().sqrt()).flatten().double().clamp(-3, 3),
                                                edges)[0].int().tolist())
        for name, one in (("start", training.first), ("end", training.last))
    ]  # fmt: skip
    return Figure("weights", HistogramData(x=Axis(id="weight"), edges=edges.tolist(), series=series))


def _table(training: Training) -> Figure:
    """A row for each kind of networks, at the end."""
    rows: list[list[str | float | int | None]] = []
    for place, group in enumerate(training.groups):
        accuracy = interval(training.accuracy[place])
        apart = interval(training.accuracy[place] - training.accuracy[0])
        bits, error = training.entropies[-1][place].mean(), training.errors[-1][place].mean()
        values = (accuracy.mean, *apart, float(bits), float(error))
        rows.append([group.estimator, "balanced" if group.balanced else "plain", *(round(one, 4) for one in values)])
    columns = ["estimator", "weights", "accuracy", "apart", "low", "high", "bits", "error"]
    return Figure("table", TableData(columns=columns, rows=rows))
