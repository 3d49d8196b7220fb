"""What is written of an experiment: result.json, figures as SVG and PNG, their data as CSV, arrays as npy."""

from __future__ import annotations

import csv
import importlib.util
import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..contract.arrays import npy
from ..contract.experiments import (
    BarsData,
    ContourData,
    ExperimentResult,
    FigureBody,
    GraphData,
    GridsData,
    HeatmapData,
    HistogramData,
    LinesData,
    MatrixData,
    Series,
    TableData,
)
from ..lab.wording import labelled
from ..pipeline.resume import write_file

RESULT = "result.json"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")  # what becomes the name of a file; a server may send anything
Row = Iterable[Any]


def write_files(result: ExperimentResult, folder: Path) -> Path:
    """Write all files into a folder; those of the same names are replaced. Raises `OSError`."""
    for name, data in files(result):
        write_file(folder / name, data)
    return folder


def files(result: ExperimentResult) -> Iterator[tuple[str, bytes]]:
    """Each file by its name."""
    yield RESULT, (json.dumps(result.to_dict(), indent=2, ensure_ascii=False) + "\n").encode()
    for figure in (labelled(result.id, figure) for figure in result.figures):
        if not NAME.fullmatch(figure.id):
            continue
        yield f"{figure.id}.csv", _csv(_rows(figure))
        if isinstance(figure.data, HeatmapData | ContourData | MatrixData):
            yield f"{figure.id}.npy", npy(np.array(figure.data.values, dtype=float))
        if isinstance(figure.data, GridsData):
            for grid in (grid for group in figure.data.groups for grid in group.grids):
                if NAME.fullmatch(grid.id):
                    yield f"{figure.id}-{grid.id}.npy", npy(np.array(grid.values, dtype=float))
        if can_draw():
            from .experiment_figures import picture

            yield f"{figure.id}.svg", picture(figure, "svg")
            yield f"{figure.id}.png", picture(figure, "png")
    for name, value in result.numbers.items():
        array = as_array(value)
        if array is not None and NAME.fullmatch(name):
            yield f"numbers-{name}.npy", npy(array)


def can_draw() -> bool:
    """Whether matplotlib is here."""
    return importlib.util.find_spec("matplotlib") is not None


def as_array(value: object) -> np.ndarray | None:
    """A list of numbers, or of equally long lists of numbers, as an array; NaN for None. None for anything else."""
    if not isinstance(value, list) or not value:
        return None
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        return None
    return None if _holds_text(value) else array


def _holds_text(value: object) -> bool:
    return any(map(_holds_text, value)) if isinstance(value, list) else isinstance(value, str)


def _rows(figure: FigureBody) -> Iterator[Row]:
    """The data of a figure as a table, its head first."""
    data = figure.data
    match data:
        case LinesData():
            yield from _series_rows(data.series)
        case BarsData():
            yield ("label", *(series.title for series in data.series))
            for place, label in enumerate(data.labels):
                heights = (dict(zip(series.x, series.y, strict=True)) for series in data.series)
                yield (label, *(known.get(place) for known in heights))
        case HistogramData():
            yield ("from", "to", *(series.title for series in data.series))
            counts = zip(*(series.y for series in data.series), strict=True)
            yield from ((*ends, *row) for ends, row in zip(_pairs(data.edges), counts, strict=True))
        case MatrixData():
            columns = data.columns or range(len(data.values[0]) if data.values else 0)
            yield ("", *columns)
            rows = data.rows or range(len(data.values))
            yield from ((row, *values) for row, values in zip(rows, data.values, strict=True))
        case ContourData():
            yield from _series_rows(data.paths)
        case HeatmapData():
            yield ("", *data.columns)
            yield from ((row, *values) for row, values in zip(data.names or data.rows, data.values, strict=True))
        case GraphData():
            yield ("id", "title", "value", "gradient", "input", "share")
            for node in data.nodes:
                head = node.id, node.title, node.value, node.gradient
                edges = list(zip(node.inputs, node.shares, strict=True)) or [("", None)]
                yield from ((*head, *edge) for edge in edges)
        case TableData():
            yield data.columns
            yield from data.rows
        case GridsData():
            yield ("grid", "row", "column", "value")
            for grid in (grid for group in data.groups for grid in group.grids):
                for row, values in enumerate(grid.values):
                    yield from ((grid.id, row, column, value) for column, value in enumerate(values))


def _series_rows(listed: list[Series]) -> Iterator[Row]:
    yield ("series", "x", "y", "low", "high")
    for series in listed:
        ends = zip(series.low, series.high, strict=True) if series.low else ((None, None) for _ in series.x)
        for x, y, (low, high) in zip(series.x, series.y, ends, strict=True):
            yield (series.title, x, y, low, high)


def _pairs(edges: list[float]) -> Iterator[tuple[float, float]]:
    return itertools.pairwise(edges)


def _csv(rows: Iterable[Row]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
