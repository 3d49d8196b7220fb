"""The plots of an evaluation: each number by method, and the mean curves of the metrics that draw one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..attribution.metrics.base import metrics
from ..attribution.metrics.scalars import Scalar
from ..contract.wire import JsonObject
from .bootstrap import interval
from .run import EvaluationResults
from .svg import PlotLine, PlotPoint, curve_plot, point_plot
from .tables import MIN_PICTURES, GroupedRow

DRAWS = 999  # for each point of a curve; fewer than for numbers, because it is only drawn


def plot_path(model: str, number: str) -> str:
    """The file name of a plot; characters of a model's id that file names may not have are replaced."""
    return f"plots/{number}.{''.join(c if c.isalnum() or c in '-_.' else '_' for c in model)}.svg"


def by_method(
    rows: Iterable[GroupedRow], scalars: Mapping[str, Scalar], titles: Mapping[str, str], colours: Mapping[str, int]
) -> dict[tuple[str, str], str]:
    """Plots by (model, number): a row for each method, with the mean and its interval."""
    found: dict[tuple[str, str], list[GroupedRow]] = {}
    for row in rows:
        if not row.against and not row.prediction:
            found.setdefault((row.model, row.number), []).append(row)
    plots = {}
    for (model, number), group in found.items():
        scalar = scalars[number]
        points = [PlotPoint(titles[row.method], colours[row.method], row.mean, row.low, row.high) for row in group]
        dashed = {None: "", 0.0: "dashed: no gain"}.get(scalar.reference, "dashed: chance")
        first = group[0]
        of = f"{first.n}" if first.values == first.n else f"{first.values} cells of {first.n} pictures"
        caption = " · ".join(filter(None, (scalar.direction, f"mean of {of}, 95 % interval", dashed)))
        plots[model, number] = point_plot(scalar.title, model, caption, points, scalar.reference)
    return plots


def mean_curves(
    results: EvaluationResults, titles: Mapping[str, str], colours: Mapping[str, int], seed: int
) -> dict[tuple[str, str], str]:
    """Plots by (model, metric): the mean curve of each method with its band, and the two control curves."""
    found: dict[tuple[str, str], dict[str, list[JsonObject]]] = {}
    for record in results.maps:
        for measured in record["metrics"]:
            if measured["figures"] is not None and "fractions" in measured["figures"]:
                groups = found.setdefault((record["model"], measured["metric"]), {})
                groups.setdefault(record["method"], []).append({"picture": record["picture"], **measured["figures"]})
    plots = {}
    for (model, metric), methods in found.items():
        series = [
            _curve(
                titles[method],
                colours[method],
                [figure["map"]["probabilities"] for figure in figures],
                seed,
            )
            for method, figures in methods.items()
        ]
        plots[model, metric] = curve_plot(
            metrics()[metric].title,
            model,
            metrics()[metric].curve,
            [*series, *_controls(methods.values(), seed)],
        )
    return plots


def _controls(methods: Iterable[Sequence[JsonObject]], seed: int) -> list[PlotLine]:
    """The mean curves of the control orders, which do not depend on a map: equal for all methods of a picture."""
    pictures = {figures["picture"]: figures for groups in methods for figures in groups}
    random = [
        np.mean([figure["probabilities"] for figure in figures["random"]], axis=0) for figures in pictures.values()
    ]
    centred = [figures["gaussian"]["probabilities"] for figures in pictures.values()]
    return [
        _curve("random order", None, random, seed, "dash"),
        _curve("centred Gaussian", None, centred, seed, "dot"),
    ]


def _curve(name: str, colour: int | None, values: Sequence[Any], seed: int, dashes: str = "") -> PlotLine:
    stacked = np.asarray(values, dtype=np.float64)
    low, high = interval(stacked, seed, draws=DRAWS) if len(stacked) >= MIN_PICTURES else (None, None)
    return PlotLine(name, colour, stacked.mean(0), low, high, dashes)
