"""The figures of a run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...contract.experiments import Axis, HeatmapData, LinesData, Series, TableData
from ..experiment import Figure
from ..values import numbers
from .findings import MIN_ESTIMATES, USUAL, noise_of, silent_units, total_norm
from .record import Run

MOST_COLUMNS = 160  # of a heat map: more are no wider than a pixel
MOST_POINTS = 400  # of a line
WINDOW = 32  # recorded steps that one point of the noise scale averages over


def figures(run: Run) -> Iterator[Figure]:
    yield Figure("norms", _norms(run))
    yield Figure("layers", _field(run, run.gradient, run.names))
    if np.isfinite(run.update).any():
        yield Figure("updates", _updates(run))
    if run.activations:
        units = np.array([one.units for one in run.activations], dtype=float)
        yield Figure("dead", _field(run, run.dead / units, [one.name for one in run.activations], scale="linear"))
    if (lines := _noise(run)) is not None:
        yield Figure("noise", lines)
    yield Figure("table", _table(run))


def _points(run: Run) -> np.ndarray:
    """The rows that lines go through: all of them, or so many at even distances."""
    count = len(run.steps)
    if count <= MOST_POINTS:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, MOST_POINTS).round().astype(int))


def _steps(run: Run, rows: np.ndarray) -> list[float | int | None]:
    return [int(step) for step in run.steps[rows]]


def _norms(run: Run) -> LinesData:
    """The whole gradient, and its first and last layer and the one between."""
    rows = _points(run)
    there = np.flatnonzero((run.gradient > 0).any(0))
    chosen = list(dict.fromkeys(there[[0, len(there) // 2, -1]].tolist())) if len(there) else []
    lines = [Series(id="total", x=_steps(run, rows), y=numbers(total_norm(run)[rows], positive=True))]
    lines += [
        Series(
            id=f"layer_{place}", title=run.names[place], x=_steps(run, rows),
            y=numbers(run.gradient[rows, place], positive=True),
        )
        for place in chosen
    ]  # fmt: skip
    return LinesData(x=Axis(id="step"), y=Axis(id="norm", scale="log"), series=lines)


def _updates(run: Run) -> LinesData:
    """The median over the layers, from the smallest to the largest; and what is usual."""
    rows = np.array([row for row in _points(run) if np.isfinite(run.update[row]).any()])
    values = np.where(run.update[rows] > 0, run.update[rows], np.nan)
    rows, values = rows[~np.isnan(values).all(1)], values[~np.isnan(values).all(1)]
    steps = _steps(run, rows)
    if not len(rows):
        return LinesData(x=Axis(id="step"), y=Axis(id="update", scale="log"), series=[])
    middle = Series(
        id="median", x=steps, y=numbers(np.nanmedian(values, 1)), low=numbers(np.nanmin(values, 1)),
        high=numbers(np.nanmax(values, 1)),
    )  # fmt: skip
    usual = Series(id="usual", x=[steps[0], steps[-1]], y=[USUAL, USUAL], style="dashed")
    return LinesData(x=Axis(id="step"), y=Axis(id="update", scale="log"), series=[middle, usual])


def _field(run: Run, values: np.ndarray, names: list[str], scale: str = "log") -> HeatmapData:
    """A row for each layer. Steps are thinned out by time, so each column shows the last step recorded until then."""
    first, last = int(run.steps[0]), int(run.steps[-1])
    count = min(MOST_COLUMNS, len(run.steps))
    columns = np.linspace(first, last, count) if count > 1 else np.array([float(first)])
    rows = np.searchsorted(run.steps, columns + 1e-9, side="right") - 1
    shown = values[np.clip(rows, 0, None)].T
    return HeatmapData(
        x=Axis(id="step"),
        y=Axis(id="layer"),
        columns=[round(float(place), 3) for place in columns],
        rows=[float(place) for place in range(1, len(names) + 1)],
        names=names,
        values=[numbers(row, positive=scale == "log") for row in shown],
        scale="log" if scale == "log" else "linear",
    )


def _noise(run: Run) -> LinesData | None:
    """The noise scale over windows of the run, and the batch."""
    known = np.flatnonzero(np.isfinite(run.noise).all(1))
    width = min(WINDOW, max(MIN_ESTIMATES, len(known) // 4))
    ends = known[width - 1 :: max(1, width // 4)]
    found = [(int(run.steps[row]), noise_of(run, slice(_back(known, row, width), row + 1))) for row in ends]
    points = [(step, one.scale) for step, one in found if one is not None and one.scale is not None]
    if not points:
        return None
    steps: list[float | int | None] = [step for step, _ in points]
    lines = [Series(id="scale", x=steps, y=numbers(value for _, value in points))]
    samples = run.samples[np.isfinite(run.samples)]
    if len(samples):
        batch = float(np.median(samples))
        lines.append(Series(id="batch", x=[steps[0], steps[-1]], y=[batch, batch], style="dashed"))
    return LinesData(x=Axis(id="step"), y=Axis(id="samples", scale="log"), series=lines)


def _back(known: np.ndarray, row: int, width: int) -> int:
    """The row at which the window begins that ends at `row`."""
    return int(known[max(0, int(np.searchsorted(known, row)) - width + 1)])


def _table(run: Run) -> TableData:
    """By layer, over the second half of the run; silent units stand under the layer or the ReLU that has them."""
    late = slice(len(run.steps) // 2, None)
    rows: list[list[str | float | int | None]] = []
    for place, layer in enumerate(run.head.layers):
        rows.append([
            layer.name, layer.kind, layer.parameters, _typical(run.gradient[late, place]),
            _typical(run.update[late, place]), None,
        ])  # fmt: skip
    for one in silent_units(run):
        rows.append([one.name, "ReLU", None, None, None, one.count / one.units])
    return TableData(columns=["layer", "kind", "parameters", "gradient", "update", "silent"], rows=rows)


def _typical(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None
