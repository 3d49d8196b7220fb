"""The plots of an evaluation: each number by method, and the mean curves of deletion and insertion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..attribution.metrics.base import metrics
from ..contract.wire import JsonObject
from .bootstrap import interval
from .run import EvaluationResults
from .scalars import Scalar
from .svg import PlotLine, PlotPoint, curves, dots
from .tables import FEWEST, GroupedRow

DRAWS = 999  # for each point of a curve; a band is no number


def name_of(model: str, number: str) -> str:
    """The file of a plot: an id may hold characters that are none of a file's name."""
    return f"plots/{number}.{''.join(c if c.isalnum() or c in '-_.' else '_' for c in model)}.svg"


def by_method(
    lines: Iterable[GroupedRow], known: Mapping[str, Scalar], titles: Mapping[str, str], colours: Mapping[str, int]
) -> dict[tuple[str, str], str]:
    """By (model, number): a row for each method, with the mean and its interval."""
    found: dict[tuple[str, str], list[GroupedRow]] = {}
    for line in lines:
        if not line.against:
            found.setdefault((line.model, line.number), []).append(line)
    plots = {}
    for (model, number), own in found.items():
        about = known[number]
        rows = [PlotPoint(titles[line.method], colours[line.method], line.mean, line.low, line.high) for line in own]
        dashed = {None: "", 0.0: "dashed: no gain"}.get(about.reference, "dashed: chance")
        under = " · ".join(filter(None, (about.direction, f"mean of {own[0].n}, 95 % interval", dashed)))
        plots[model, number] = dots(about.title, model, under, rows, about.reference)
    return plots


def mean_curves(
    findings: EvaluationResults, titles: Mapping[str, str], colours: Mapping[str, int], seed: int
) -> dict[tuple[str, str], str]:
    """By (model, metric): the mean curve of each method with its band, and of the two controls."""
    found: dict[tuple[str, str], dict[str, list[JsonObject]]] = {}
    for record in findings.maps:
        for measured in record["metrics"]:
            if measured["figures"] is not None and "fractions" in measured["figures"]:
                own = found.setdefault((record["model"], measured["metric"]), {})
                own.setdefault(record["method"], []).append({"picture": record["picture"], **measured["figures"]})
    plots = {}
    for (model, metric), methods in found.items():
        series = [
            _curve(titles[method], colours[method], [one["map"]["probabilities"] for one in figures], seed)
            for method, figures in methods.items()
        ]
        way = "have come" if metric == "insertion" else "are gone"
        plots[model, metric] = curves(
            metrics()[metric].title,
            model,
            f"share of the pixels that {way} → probability of the class",
            [*series, *_controls(methods.values(), seed)],
        )
    return plots


def _controls(methods: Iterable[Sequence[JsonObject]], seed: int) -> list[PlotLine]:
    """The orders that do not come from a map: the same for every method of a picture."""
    pictures = {figures["picture"]: figures for own in methods for figures in own}
    drawn = [np.mean([one["probabilities"] for one in figures["random"]], axis=0) for figures in pictures.values()]
    centred = [figures["gaussian"]["probabilities"] for figures in pictures.values()]
    return [
        _curve("random order", None, drawn, seed, "dash"),
        _curve("centred Gaussian", None, centred, seed, "dot"),
    ]


def _curve(name: str, colour: int | None, values: Sequence[Any], seed: int, dashes: str = "") -> PlotLine:
    stacked = np.asarray(values, dtype=np.float64)
    low, high = interval(stacked, seed, draws=DRAWS) if len(stacked) >= FEWEST else (None, None)
    return PlotLine(name, colour, stacked.mean(0), low, high, dashes)
