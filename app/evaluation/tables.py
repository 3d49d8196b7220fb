"""Rows of numbers, and what they come to over the pictures: means with intervals, and differences of methods."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import combinations

import numpy as np

from .bootstrap import interval
from .records import Target
from .run import EvaluationResults
from .scalars import HITS, LOCALISATION, Scalar, in_order, scalars_of

FEWEST = 2  # pictures that an interval can be drawn from


@dataclass(frozen=True)
class Row:
    """One number of one map. `picture` may be a grid: `cell` is the picture there whose class the map is for, then."""

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
    """A number over `n` pictures; with `against`, the difference to that method on the pictures that both have."""

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


def rows(findings: EvaluationResults) -> tuple[list[Row], dict[str, Scalar]]:
    """The numbers of all maps, and what they are, by id."""
    found: list[Row] = []
    known: dict[str, Scalar] = {}
    for record in findings.maps:
        target = record["target"]
        about = (record["picture"], "", record["model"], record["method"], *_named(target))
        for measured in record["metrics"]:
            if measured["figures"] is not None:
                for number, value in scalars_of(measured["metric"], measured["figures"]):
                    known[number.id] = number
                    found.append(Row(*about, measured["metric"], number.id, value))
    for grid in findings.grids:
        for cell in grid["cells"]:
            about = (grid["picture"], cell["picture"], grid["model"], grid["method"], *_named(cell["target"]))
            for number, share in ((LOCALISATION, cell["localisation"]), (HITS, cell["hit"])):
                known[number.id] = number
                if share is not None:
                    found.append(Row(*about, number.metric, number.id, float(share)))
    return found, {number.id: number for number in in_order(known.values())}


def _named(target: Target) -> tuple[int, str, float]:
    return target["index"], target["label"], target["probability"]


def summary(found: Iterable[Row], known: dict[str, Scalar], seed: int) -> list[GroupedRow]:
    """Mean and median of each number over the pictures, with the mean's interval; then the methods' differences.

    The cells of a grid count as one, by their mean.
    """
    series: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for (model, number, method, picture), values in grouped(found).items():
        series.setdefault((model, number), {}).setdefault(method, {})[picture] = float(np.mean(values))
    lines: list[GroupedRow] = []
    for (model, number), methods in series.items():
        about = known[number]
        for method, by_picture in methods.items():
            lines.append(_line(model, method, "", about, list(by_picture.values()), seed))
        for one, other in combinations(methods, 2):
            both = [picture for picture in methods[one] if picture in methods[other]]
            if both:
                gaps = [methods[one][picture] - methods[other][picture] for picture in both]
                lines.append(_line(model, one, other, about, gaps, seed))
    return lines


def grouped(found: Iterable[Row]) -> dict[tuple[str, str, str, str], list[float]]:
    """Values by model, number, method and picture."""
    values: dict[tuple[str, str, str, str], list[float]] = {}
    for row in found:
        values.setdefault((row.model, row.number, row.method, row.picture), []).append(row.value)
    return values


def _line(model: str, method: str, against: str, number: Scalar, values: Sequence[float], seed: int) -> GroupedRow:
    low, high = map(float, interval(values, seed)) if len(values) >= FEWEST else (None, None)
    mean, median = float(np.mean(values)), float(np.median(values))
    return GroupedRow(
        model, method, against, number.metric, number.id, number.better, len(values), mean, low, high, median
    )


def csv_of(kind: type[Row] | type[GroupedRow], lines: Iterable[Row | GroupedRow]) -> str:
    """A header and a line each; numbers with 6 significant digits, and nothing where there is none."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow([field.name for field in fields(kind)])
    table.writerows(_cells(line) for line in lines)
    return out.getvalue()


def _cells(line: Row | GroupedRow) -> Iterator[str]:
    for value in astuple(line):
        yield "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
