"""Figures of experiments, drawn by matplotlib: one function for each kind."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize, SymLogNorm
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from ..contract.experiments import (
    Axis,
    BarsData,
    ContourData,
    FigureBody,
    FigureData,
    GraphData,
    Grid,
    GridsData,
    HeatmapData,
    HistogramData,
    LinesData,
    MatrixData,
    Node,
    Number,
    Series,
    TableData,
)
from ..images.palettes import MAGNITUDE_PALETTE, SIGNED_PALETTE, palettes
from .figures import NotebookFigure

SIZE = 6.4, 4.0  # inches
MAX_ROWS = 40  # of a table that is drawn; all of them are in its CSV
MAX_NAMES = 40  # of rows that stand beside a heat map
LONGEST_NAME = 28
MAX_CELLS = 24  # a side of a matrix whose numbers are written into its cells
STYLES = {"line": "-", "dashed": "--", "points": ""}
DARK = 0.55  # of the largest magnitude: on the colour of what is above, black cannot be read
TINY = 1e-300  # the least magnitude of a logarithmic colour


def draw(figure: FigureBody) -> Figure:
    """A figure with its title."""
    made = NotebookFigure(figsize=_size(figure.data), layout="constrained")
    axes = made.add_subplot()
    axes.set_title(figure.title, fontsize=11, parse_math=False)
    DRAWN[type(figure.data)](axes, figure.data)
    return made


def _size(data: FigureData) -> tuple[float, float]:
    """Width and height in inches: graphs and tables take as much as they need."""
    width, height = SIZE
    if isinstance(data, GraphData):
        columns = _columns(data)
        return max(width, 1.2 * len(columns)), max(height, 0.8 + 0.8 * max(map(len, columns.values()), default=1))
    if isinstance(data, HeatmapData) and data.names:
        return width, max(height, 0.8 + 0.14 * min(MAX_NAMES, len(data.names)))
    if isinstance(data, TableData):
        return width, 0.8 + 0.22 * min(MAX_ROWS, len(data.rows))
    if isinstance(data, GridsData):
        cell, between = 0.4, 0.6
        wide = max((sum(cell * _across(grid) + between for grid in group.grids) for group in data.groups), default=0)
        high = sum(between + cell * max((len(grid.values) for grid in group.grids), default=0) for group in data.groups)
        return max(width, wide), 0.6 + high
    return width, height


def picture(figure: FigureBody, form: Literal["svg", "png"]) -> bytes:
    """A figure as a file; the same figure gives the same bytes."""
    out = io.BytesIO()
    with rc_context({"svg.hashsalt": figure.id}):
        draw(figure).savefig(out, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)
    return out.getvalue()


def _lines(axes: Axes, data: LinesData) -> None:
    _axes(axes, data.x, data.y)
    for number, series in enumerate(data.series):
        _series(axes, series, number)
    least = data.y.least
    if least is not None and axes.get_ylim()[0] < least < axes.get_ylim()[1]:
        axes.set_ylim(bottom=least)
    _legend(axes, data.series)


def _series(axes: Axes, series: Series, number: int) -> None:
    colour = f"C{number % 10}"
    marker = "o" if series.style == "points" or len(series.x) == 1 else ""
    axes.plot(
        _numbers(series.x), _numbers(series.y), STYLES[series.style], marker=marker, markersize=3, color=colour,
        label=series.title,
    )  # fmt: skip
    if series.low and series.high:
        axes.fill_between(
            _numbers(series.x), _numbers(series.low), _numbers(series.high), color=colour, alpha=0.2, linewidth=0
        )


def _bars(axes: Axes, data: BarsData) -> None:
    _axes(axes, data.x, data.y)
    width = 0.8 / max(1, len(data.series))
    for number, series in enumerate(data.series):
        shift = (number - (len(data.series) - 1) / 2) * width
        heights = _numbers(series.y)
        errors: Any = None
        if series.low and series.high:
            errors = np.abs(np.stack([heights - _numbers(series.low), _numbers(series.high) - heights]))
        axes.bar(_numbers(series.x) + shift, heights, width, yerr=errors, label=series.title, color=f"C{number % 10}")
    axes.set_xticks(range(len(data.labels)), data.labels, rotation=30 if len(data.labels) > 6 else 0, fontsize=8)
    _legend(axes, data.series)


def _histogram(axes: Axes, data: HistogramData) -> None:
    _axes(axes, data.x, data.y)
    for number, series in enumerate(data.series):
        axes.stairs(_numbers(series.y), data.edges, label=series.title, color=f"C{number % 10}")
    _legend(axes, data.series)


def _matrix(axes: Axes, data: MatrixData) -> None:
    values = _grid(data.values)
    most = float(np.abs(values[np.isfinite(values)]).max(initial=0.0)) or 1.0
    if not values.size:
        return
    axes.imshow(values, cmap=_colours(SIGNED_PALETTE), norm=Normalize(-most, most), aspect="equal")
    if max(values.shape, default=0) <= MAX_CELLS:
        for (row, column), value in np.ndenumerate(values):
            dark = abs(value) > DARK * most
            axes.text(
                column, row, _short(value), ha="center", va="center", fontsize=8, parse_math=False,
                color="white" if dark else "black",
            )  # fmt: skip
    axes.set_xticks(range(len(data.columns)), data.columns, fontsize=8)
    axes.set_yticks(range(len(data.rows)), data.rows, fontsize=8)


def _grids(axes: Axes, data: GridsData) -> None:
    """A row of axes for each group, in the place of these axes; each grid as wide as its columns."""
    made = axes.get_figure(root=True)
    assert made is not None
    made.suptitle(axes.get_title(), fontsize=11, parse_math=False)
    axes.remove()
    heights = [max((len(grid.values) for grid in group.grids), default=0) + 1 for group in data.groups]
    rows = made.subfigures(len(data.groups) or 1, 1, squeeze=False, height_ratios=heights or None)
    for place, group in zip(rows[:, 0], data.groups, strict=False):
        place.suptitle(group.title, fontsize=9, x=0.01, ha="left", parse_math=False)
        widths = [max(2, _across(grid)) for grid in group.grids]
        across = place.subplots(1, len(group.grids), squeeze=False, width_ratios=widths)
        for one, grid in zip(across[0], group.grids, strict=True):
            one.set_title(grid.title, fontsize=9, parse_math=False)
            _matrix(one, MatrixData(values=grid.values))


def _across(grid: Grid) -> int:
    """The columns of a grid."""
    return len(grid.values[0]) if grid.values else 0


def _heatmap(axes: Axes, data: HeatmapData) -> None:
    _axes(axes, data.x, data.y)
    _field(axes, data, signed=data.signed)
    if data.names:
        every = -(-len(data.names) // MAX_NAMES)
        axes.set_yticks(data.rows[::every], [_cut(name) for name in data.names[::every]], fontsize=7, parse_math=False)


def _cut(name: str) -> str:
    """A name of a layer, whose end says more than its beginning."""
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"


def _contour(axes: Axes, data: ContourData) -> None:
    _axes(axes, data.x, data.y)
    values = _grid(data.values)
    norm = _norm(values, data.scale, signed=False)
    levels = 16
    if not np.isfinite(values).any():
        return
    if isinstance(norm, LogNorm):
        axes.contour(data.columns, data.rows, np.maximum(values, norm.vmin or TINY), levels, norm=norm, linewidths=0.6)
    else:
        axes.contour(data.columns, data.rows, values, levels, linewidths=0.6)
    for number, path in enumerate(data.paths):
        _series(axes, path, number)
    axes.set_xlim(min(data.columns), max(data.columns))
    axes.set_ylim(min(data.rows), max(data.rows))
    _legend(axes, data.paths)


def _graph(axes: Axes, data: GraphData) -> None:
    """Nodes in columns by their depth: above each its value, below it its gradient; at the edges what is sent back."""
    axes.axis("off")
    columns = _columns(data)
    place = {id: (column, (len(ids) - 1) / 2 - row) for column, ids in columns.items() for row, id in enumerate(ids)}
    for node in data.nodes:
        for number, (id, share) in enumerate(zip(node.inputs, node.shares, strict=False)):
            far = place[node.id][0] - place[id][0] > 1
            bend = 0.3 if node.inputs.count(id) > 1 or far else 0.0
            _edge(axes, place[id], place[node.id], share, bend if number else -bend)
        _node(axes, place[node.id], node)
    tallest = max(map(len, columns.values()), default=1)
    axes.set_xlim(-0.5, max(columns, default=0) + 0.5)
    axes.set_ylim(-tallest / 2 - 0.1, tallest / 2 + 0.1)


def _columns(data: GraphData) -> dict[int, list[str]]:
    """The nodes by their column: each after its inputs, what has none right before its first user."""
    depth: dict[str, int] = {}
    for node in data.nodes:
        depth[node.id] = max((depth[id] + 1 for id in node.inputs), default=0)
    for leaf in (node.id for node in data.nodes if not node.inputs):
        depth[leaf] = max(0, min((depth[node.id] for node in data.nodes if leaf in node.inputs), default=1) - 1)
    columns: dict[int, list[str]] = defaultdict(list)
    for node in data.nodes:
        columns[depth[node.id]].append(node.id)
    return columns


def _node(axes: Axes, place: tuple[float, float], node: Node) -> None:
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "0.4"}
    axes.text(*place, node.title[:24], ha="center", va="center", bbox=box, fontsize=9, parse_math=False, zorder=3)
    for value, shift, colour in ((node.value, 15, "C2"), (node.gradient, -22, "C3")):
        if value is not None or shift > 0:
            axes.annotate(
                _short(value), place, (0, shift), textcoords="offset points", ha="center", fontsize=8, color=colour,
                parse_math=False, zorder=3,
            )  # fmt: skip


def _edge(axes: Axes, start: tuple[float, float], end: tuple[float, float], share: Number, bend: float) -> None:
    """A line, bent aside by `bend` of its length where others lie beside it."""
    (x, y), (to_x, to_y) = start, end
    aside = (to_y - y) * bend, -max(1.0, to_x - x) * bend
    control = (x + to_x) / 2 + aside[0], (y + to_y) / 2 + aside[1]
    curve = Path([start, control, end], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
    axes.add_patch(PathPatch(curve, facecolor="none", edgecolor="0.6", zorder=1))
    if share is not None:
        box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
        t = 0.4  # nearer to the input: in the middle others cross
        x, y = ((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c for a, b, c in zip(start, control, end, strict=True))
        axes.text(
            x, y, _short(share), ha="center", va="center", fontsize=7, color="C3", bbox=box, parse_math=False, zorder=2
        )


def _table(axes: Axes, data: TableData) -> None:
    axes.axis("off")
    shown = [[_cell(value) for value in row] for row in data.rows[:MAX_ROWS]]
    if not shown:
        return
    made = axes.table(cellText=shown, colLabels=data.columns, loc="upper center", cellLoc="left")
    made.auto_set_font_size(False)
    made.set_fontsize(8)
    made.auto_set_column_width(list(range(len(data.columns))))


def _axes(axes: Axes, x: Axis | None, y: Axis | None) -> None:
    for axis, label, scale in ((x, axes.set_xlabel, axes.set_xscale), (y, axes.set_ylabel, axes.set_yscale)):
        if axis is not None:
            label(axis.title, parse_math=False)
            scale(axis.scale)


def _legend(axes: Axes, series: list[Series]) -> None:
    if len(series) > 1:
        legend = axes.legend(fontsize=8)
        for text in legend.get_texts():
            text.set_parse_math(False)


def _field(axes: Axes, data: HeatmapData, signed: bool) -> None:
    values = _grid(data.values)
    if not values.size:
        return
    shown = axes.pcolormesh(
        *(_edges(places) for places in (data.columns, data.rows)),
        values,
        cmap=_colours(SIGNED_PALETTE if signed else MAGNITUDE_PALETTE),
        norm=_norm(values, data.scale, signed),
    )
    axes.set_ylim(*_edges(data.rows)[[-1, 0]])  # row 0 on top
    assert axes.figure is not None
    axes.figure.colorbar(shown, ax=axes)


def _norm(values: np.ndarray, scale: str, signed: bool) -> Normalize:
    """From numbers to colours: symmetric where zero is in the middle."""
    finite = values[np.isfinite(values)]
    most = float(np.abs(finite).max(initial=0.0)) or 1.0
    if signed:
        return SymLogNorm(most * 1e-6, vmin=-most, vmax=most) if scale == "log" else Normalize(-most, most)
    positive = finite[finite > TINY]
    if scale == "log" and positive.size and positive.min() < positive.max():
        return LogNorm(float(positive.min()), float(positive.max()))
    return Normalize(float(finite.min(initial=0.0)), float(finite.max(initial=1.0 if not finite.size else -np.inf)))


def _edges(places: list[float]) -> np.ndarray:
    """Where the cells of a grid end, half-way between their places."""
    at = np.asarray(places, dtype=float)
    if at.size < 2:
        return np.array([at[0] - 0.5, at[0] + 0.5]) if at.size else np.array([0.0, 1.0])
    middles = (at[1:] + at[:-1]) / 2
    return np.concatenate([[2 * at[0] - middles[0]], middles, [2 * at[-1] - middles[-1]]])


def _colours(palette: str) -> ListedColormap:
    return ListedColormap(palettes()[palette] / 255)


def _numbers(values: list[Number]) -> np.ndarray:
    """Numbers with NaN, which leaves a gap, for None."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _grid(values: list[list[Number]]) -> np.ndarray:
    return np.stack([_numbers(row) for row in values]) if values else np.zeros((0, 0))


def _short(value: float | int | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.3g}".replace("-", "−")


def _cell(value: str | float | int | None) -> str:
    return value[:60] if isinstance(value, str) else _short(value)


DRAWN: dict[type, Callable[[Axes, Any], None]] = {
    LinesData: _lines,
    BarsData: _bars,
    HistogramData: _histogram,
    MatrixData: _matrix,
    HeatmapData: _heatmap,
    ContourData: _contour,
    GraphData: _graph,
    TableData: _table,
    GridsData: _grids,
}
