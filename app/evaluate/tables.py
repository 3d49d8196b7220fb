"""Rows of numbers, and what they come to over the pictures: means with intervals, and differences of methods."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import combinations

import numpy as np

from .bootstrap import interval
from .numbers import Number, numbers_of
from .run import Findings

FEWEST = 2  # pictures that an interval can be drawn from


@dataclass(frozen=True)
class Row:
    """One number of one map."""

    picture: str
    model: str
    method: str
    target: int
    label: str
    probability: float
    metric: str
    number: str
    value: float


@dataclass(frozen=True)
class Line:
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


def rows(findings: Findings) -> tuple[list[Row], dict[str, Number]]:
    """The numbers of all maps, and what they are, by id."""
    found: list[Row] = []
    known: dict[str, Number] = {}
    for record in findings.maps:
        target = record["target"]
        about = (record["picture"], record["model"], record["method"], target["index"], target["label"])
        for measured in record["metrics"]:
            if measured["status"] == "done":
                for number, value in numbers_of(measured["metric"], measured["figures"]):
                    known[number.id] = number
                    found.append(Row(*about, target["probability"], measured["metric"], number.id, value))
    return found, known


def summary(found: Iterable[Row], known: dict[str, Number], seed: int) -> list[Line]:
    """Mean and median of each number over the pictures, with the mean's interval; then the methods' differences."""
    series: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for row in found:
        series.setdefault((row.model, row.number), {}).setdefault(row.method, {})[row.picture] = row.value
    lines: list[Line] = []
    for (model, number), methods in series.items():
        about = known[number]
        for method, values in methods.items():
            lines.append(_line(model, method, "", about, list(values.values()), seed))
        for one, other in combinations(methods, 2):
            both = [picture for picture in methods[one] if picture in methods[other]]
            if both:
                gaps = [methods[one][picture] - methods[other][picture] for picture in both]
                lines.append(_line(model, one, other, about, gaps, seed))
    return lines


def _line(model: str, method: str, against: str, number: Number, values: Sequence[float], seed: int) -> Line:
    low, high = map(float, interval(values, seed)) if len(values) >= FEWEST else (None, None)
    mean, median = float(np.mean(values)), float(np.median(values))
    return Line(model, method, against, number.metric, number.id, number.better, len(values), mean, low, high, median)


def csv_of(kind: type[Row] | type[Line], lines: Iterable[Row | Line]) -> str:
    """A header and a line each; numbers with 6 significant digits, and nothing where there is none."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow([field.name for field in fields(kind)])
    table.writerows(_cells(line) for line in lines)
    return out.getvalue()


def _cells(line: Row | Line) -> Iterator[str]:
    for value in astuple(line):
        yield "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
