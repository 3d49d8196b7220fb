"""Tables of an evaluation: the numbers of each map, means over pictures with intervals, differences of methods."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import combinations

import numpy as np

from ..attribution.metrics.scalars import Scalar
from .bootstrap import interval
from .records import Target
from .run import EvaluationResults
from .scalars import HITS, LOCALISATION, scalars_of, sort_scalars

MIN_PICTURES = 2  # pictures needed for an interval


@dataclass(frozen=True)
class Row:
    """One number of one map. If `picture` is a grid, `cell` is the picture in it whose class the map explains."""

    picture: str
    cell: str
    model: str
    method: str
    target: int
    label: str
    probability: float
    metric: str
    number: str
    value: float


@dataclass(frozen=True)
class GroupedRow:
    """A number over `n` pictures; with `against`, the difference to that method on pictures that have both."""

    model: str
    method: str
    against: str
    metric: str
    number: str
    better: str
    n: int
    mean: float
    low: float | None
    high: float | None
    median: float


def rows(results: EvaluationResults) -> tuple[list[Row], dict[str, Scalar]]:
    """The numbers of all maps, and their scalars by id."""
    found: list[Row] = []
    scalars: dict[str, Scalar] = {}
    for record in results.maps:
        target = record["target"]
        first_cells = (record["picture"], "", record["model"], record["method"], *_target(target))
        for measured in record["metrics"]:
            if measured["figures"] is not None:
                for number, value in scalars_of(measured["metric"], measured["figures"]):
                    scalars[number.id] = number
                    found.append(Row(*first_cells, measured["metric"], number.id, value))
    for grid in results.grids:
        for cell in grid["cells"]:
            names = (grid["picture"], cell["picture"], grid["model"], grid["method"])
            first_cells = (*names, *_target(cell["target"]))
            for number, share in ((LOCALISATION, cell["localisation"]), (HITS, cell["hit"])):
                scalars[number.id] = number
                if share is not None:
                    found.append(Row(*first_cells, number.metric, number.id, float(share)))
    return found, {number.id: number for number in sort_scalars(scalars.values())}


def _target(target: Target) -> tuple[int, str, float]:
    return target["index"], target["label"], target["probability"]


def summary(found: Iterable[Row], scalars: dict[str, Scalar], seed: int) -> list[GroupedRow]:
    """Mean and median of each number over the pictures, with the mean's interval; then the differences of methods.

    The cells of a grid count as one value, their mean.
    """
    series: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for (model, number, method, picture), values in grouped(found).items():
        series.setdefault((model, number), {}).setdefault(method, {})[picture] = float(np.mean(values))
    lines: list[GroupedRow] = []
    for (model, number), methods in series.items():
        scalar = scalars[number]
        for method, by_picture in methods.items():
            lines.append(_grouped_row(model, method, "", scalar, list(by_picture.values()), seed))
        for first, second in combinations(methods, 2):
            both = [picture for picture in methods[first] if picture in methods[second]]
            if both:
                differences = [methods[first][picture] - methods[second][picture] for picture in both]
                lines.append(_grouped_row(model, first, second, scalar, differences, seed))
    return lines


def grouped(found: Iterable[Row]) -> dict[tuple[str, str, str, str], list[float]]:
    """Values by model, number, method and picture."""
    values: dict[tuple[str, str, str, str], list[float]] = {}
    for row in found:
        values.setdefault((row.model, row.number, row.method, row.picture), []).append(row.value)
    return values


def _grouped_row(
    model: str, method: str, against: str, number: Scalar, values: Sequence[float], seed: int
) -> GroupedRow:
    low, high = map(float, interval(values, seed)) if len(values) >= MIN_PICTURES else (None, None)
    mean, median = float(np.mean(values)), float(np.median(values))
    return GroupedRow(
        model, method, against, number.metric, number.id, number.better, len(values), mean, low, high, median
    )


def csv_of(kind: type[Row] | type[GroupedRow], lines: Iterable[Row | GroupedRow]) -> str:
    """A CSV table with a header; numbers have 6 significant digits, None is an empty cell."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow([field.name for field in fields(kind)])
    table.writerows(_cells(line) for line in lines)
    return out.getvalue()


def _cells(line: Row | GroupedRow) -> Iterator[str]:
    for value in astuple(line):
        yield "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
