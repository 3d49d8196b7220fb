"""Tables of an evaluation: the numbers of each map, means over pictures with intervals, differences of methods."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from itertools import combinations

import numpy as np

from ..attribution.metrics.scalars import Scalar
from .bootstrap import clustered_interval
from .records import Target
from .run import EvaluationResults
from .scalars import COVERAGE, HITS, LOCALISATION, scalars_of, sort_scalars

MIN_PICTURES = 2  # pictures needed for an interval
PREDICTIONS = {True: "right", False: "wrong"}
# What a value belongs to: (picture, ""), or (grid, the picture in one of its cells).
PictureOrCell = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """One number of one map. If `picture` is a grid, `cell` is the picture in it whose class the map explains.

    `prediction` says of a class that was named whether the model's top class is `right` or `wrong`.
    """

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
    prediction: str = ""


@dataclass(frozen=True)
class GroupedRow:
    """A number over `n` pictures; with `against`, the difference to that method on pictures that have both.

    In the pointing game a picture is in a cell of several grids: `values` counts its cells too. `mean` is that of all
    values, `median` that of the pictures' own means, and the interval, from `low` to `high`, is over the pictures.
    `prediction` is empty for all pictures, `right` or `wrong` for those alone that the model gets so.
    """

    model: str
    method: str
    against: str
    metric: str
    number: str
    better: str
    n: int
    values: int
    mean: float
    low: float | None
    high: float | None
    median: float
    prediction: str = ""


def rows(results: EvaluationResults) -> tuple[list[Row], dict[str, Scalar]]:
    """The numbers of all maps, and their scalars by id."""
    found: list[Row] = []
    scalars: dict[str, Scalar] = {}
    for record in results.maps:
        target = record["target"]
        first_columns = (record["picture"], "", record["model"], record["method"], *_target(target))
        prediction = PREDICTIONS[record["right"]] if "right" in record else ""
        for measured in record["metrics"]:
            if measured["figures"] is not None:
                for number, value in scalars_of(measured["metric"], measured["figures"]):
                    scalars[number.id] = number
                    found.append(Row(*first_columns, measured["metric"], number.id, value, prediction))
    for grid in results.grids:
        for cell in grid["cells"]:
            names = (grid["picture"], cell["picture"], grid["model"], grid["method"])
            first_columns = (*names, *_target(cell["target"]))
            found_in_cell = (
                (LOCALISATION, cell["localisation"]),
                (HITS, cell["hit"]),
                (COVERAGE, cell["shares"] is not None),
            )
            for number, value in found_in_cell:
                scalars[number.id] = number
                found.append(Row(*first_columns, number.metric, number.id, float(value)))
    return found, {number.id: number for number in sort_scalars(scalars.values())}


def _target(target: Target) -> tuple[int, str, float]:
    return target["index"], target["label"], target["probability"]


def summary(found: Iterable[Row], scalars: dict[str, Scalar], seed: int) -> list[GroupedRow]:
    """Mean and median of each number over the pictures, with the mean's interval; then the differences of methods.

    The cells of a picture in several grids belong together: see `GroupedRow`. Where classes were named, the same
    follows for the pictures that a model gets right and for those that it gets wrong.
    """
    all_rows = list(found)
    lines = _summary(all_rows, scalars, seed, "")
    for prediction in PREDICTIONS.values():
        lines += _summary([row for row in all_rows if row.prediction == prediction], scalars, seed, prediction)
    return lines


def _summary(found: Iterable[Row], scalars: dict[str, Scalar], seed: int, prediction: str) -> list[GroupedRow]:
    series: dict[tuple[str, str], dict[str, dict[PictureOrCell, float]]] = {}
    for row in found:
        by_picture_or_cell = series.setdefault((row.model, row.number), {}).setdefault(row.method, {})
        by_picture_or_cell[row.picture, row.cell] = row.value
    lines: list[GroupedRow] = []
    for (model, number), methods in series.items():
        scalar = scalars[number]
        for method, values in methods.items():
            lines.append(_grouped_row((model, method, ""), scalar, values, seed, prediction))
        for first, second in combinations(methods, 2):
            both = [place for place in methods[first] if place in methods[second]]
            if both:
                differences = {place: methods[first][place] - methods[second][place] for place in both}
                lines.append(_grouped_row((model, first, second), scalar, differences, seed, prediction))
    return lines


def grouped(found: Iterable[Row]) -> dict[tuple[str, str, str, str], list[float]]:
    """Values by model, number, method and picture (or grid)."""
    values: dict[tuple[str, str, str, str], list[float]] = {}
    for row in found:
        values.setdefault((row.model, row.number, row.method, row.picture), []).append(row.value)
    return values


def _grouped_row(
    names: tuple[str, str, str], number: Scalar, values: Mapping[PictureOrCell, float], seed: int, prediction: str
) -> GroupedRow:
    """`names` are those of the model, the method, and the method that it is compared with."""
    by_picture: dict[str, list[float]] = {}
    for (grid, cell), value in values.items():
        by_picture.setdefault(cell or grid, []).append(value)
    clusters = list(by_picture.values())
    low, high = clustered_interval(clusters, seed) if len(clusters) >= MIN_PICTURES else (None, None)
    mean = float(np.mean(list(values.values())))
    median = float(np.median([np.mean(cluster) for cluster in clusters]))
    return GroupedRow(
        *names, number.metric, number.id, number.better, len(clusters), len(values), mean, low, high, median, prediction
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
