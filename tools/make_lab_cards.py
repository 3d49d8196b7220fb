"""Draws the small figure of each experiment for /lab: app/lab/experiments/ID/templates/card.svg, from a run with the
default parameters. Colours come from static/css/lab.css.

    python -m tools.make_lab_cards [ID …]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

from gradoscope.contract.experiments import (
    BarsData,
    ContourData,
    FigureData,
    GraphData,
    GridsData,
    HeatmapData,
    HistogramData,
    LinesData,
    MatrixData,
    TableData,
)
from gradoscope.lab.experiment import Experiment, Figure
from gradoscope.lab.registry import FOLDER, experiments

WIDTH, HEIGHT, EDGE = 320, 128, 8
MOST_POINTS = 120  # of a line
MOST_CELLS = 32  # of a heatmap, along each side
MOST_ROWS = 4  # of a matrix or a table
Values = Sequence[float | int | None]


def place(values: Iterable[float | int | None], log: bool, low: float, high: float) -> Callable[[Any], float | None]:
    """Maps a value to its place between `low` and `high` pixels; None where it has none."""

    def scaled(value: float | None) -> float | None:
        if value is None or not math.isfinite(value) or (log and value <= 0):
            return None
        return math.log10(value) if log else float(value)

    known = [each for each in map(scaled, values) if each is not None]
    first, last = (min(known), max(known)) if known else (0.0, 1.0)
    span = last - first or 1.0

    def at(value: float | None) -> float | None:
        own = scaled(value)
        return None if own is None else low + (high - low) * (own - first) / span

    return at


def number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def path(points: Iterable[tuple[float | None, float | None]], kind: str) -> str:
    parts, open_ = [], False
    for x, y in points:
        if x is None or y is None:
            open_ = False
            continue
        parts.append(f"{'L' if open_ else 'M'}{number(x)} {number(y)}")
        open_ = True
    return f'<path class="{kind}" d="{"".join(parts)}"/>'


def thinned(values: Values, most: int) -> list[float | int | None]:
    every = max(1, math.ceil(len(values) / most))
    return list(values[::every])


def lines(data: LinesData) -> list[str]:
    x = place((v for s in data.series for v in s.x), data.x.scale == "log", EDGE, WIDTH - EDGE)
    y = place((v for s in data.series for v in s.y), data.y.scale == "log", HEIGHT - EDGE, EDGE)
    drawn = []
    for index, series in enumerate(data.series):
        kind = "line theory" if series.style == "dashed" else f"line s{index % 8 + 1}"
        points = zip(map(x, thinned(series.x, MOST_POINTS)), map(y, thinned(series.y, MOST_POINTS)), strict=True)
        drawn.append(path(points, kind))
    return drawn


def columns(series: Sequence[Values]) -> list[str]:
    """Groups of bars."""
    top = place([0, *(v for values in series for v in values)], False, 0, HEIGHT - 2 * EDGE)
    groups = max(map(len, series))
    wide = (WIDTH - 2 * EDGE) / groups
    drawn = []
    for index, values in enumerate(series):
        for group, value in enumerate(values):
            high, zero = top(value), top(0)
            if high is None or zero is None:
                continue
            left = EDGE + wide * (group + 0.1 + 0.8 * index / len(series))
            drawn.append(
                f'<rect class="bar s{index % 8 + 1}" x="{number(left)}" width="{number(0.75 * wide / len(series))}" '
                f'y="{number(HEIGHT - EDGE - max(high, zero))}" height="{number(abs(high - zero))}"/>'
            )
    return drawn


def cells(values: Sequence[Values], log: bool) -> list[str]:
    """A grid as squares, the darker the larger."""
    rows = [thinned(row, MOST_CELLS) for row in thinned(values, MOST_CELLS)]  # type: ignore[arg-type]
    share = place((v for row in rows for v in row), log, 0.04, 0.6)
    wide, high = (WIDTH - 2 * EDGE) / len(rows[0]), (HEIGHT - 2 * EDGE) / len(rows)
    return [
        f'<rect class="bar s1" fill-opacity="{share(value):.2f}" x="{number(EDGE + wide * x)}" '
        f'y="{number(EDGE + high * y)}" width="{number(wide)}" height="{number(high)}"/>'
        for y, row in enumerate(rows)
        for x, value in enumerate(row)
        if share(value) is not None
    ]


def contour(data: ContourData) -> list[str]:
    x = place(data.columns, False, EDGE, WIDTH - EDGE)
    y = place(data.rows, False, HEIGHT - EDGE, EDGE)
    paths = [
        path(zip(map(x, series.x), map(y, series.y), strict=True), f"line path s{index % 8 + 1}")
        for index, series in enumerate(data.paths)
    ]
    return [*cells(data.values[::-1], data.scale == "log"), *paths]


def texts(rows: Sequence[Sequence[object]]) -> list[str]:
    """Words and numbers in a grid."""
    shown = [list(row)[:6] for row in rows[:MOST_ROWS]]
    wide, high = (WIDTH - 2 * EDGE) / max(map(len, shown)), (HEIGHT - 2 * EDGE) / len(shown)
    return [
        f'<text x="{number(EDGE + wide * (x + 0.5))}" y="{number(EDGE + high * (y + 0.5) + 4)}" '
        f'text-anchor="middle">{escape(written(value))}</text>'
        for y, row in enumerate(shown)
        for x, value in enumerate(row)
    ]


def written(value: object) -> str:
    return f"{value:.3g}".replace("-", "−") if isinstance(value, (int, float)) else str(value or "–")


def graph(data: GraphData) -> list[str]:
    depth: dict[str, int] = {}
    for node in data.nodes:
        depth[node.id] = 1 + max((depth[each] for each in node.inputs), default=-1)
    users = {node.id: [depth[other.id] for other in data.nodes if node.id in other.inputs] for node in data.nodes}
    for node in data.nodes:
        if not node.inputs and users[node.id]:
            depth[node.id] = min(users[node.id]) - 1
    wide = (WIDTH - 2 * EDGE) / (1 + max(depth.values()))
    at = {}
    for column in sorted(set(depth.values())):
        here = [id for id in depth if depth[id] == column]
        for row, id in enumerate(here):
            at[id] = EDGE + wide * (column + 0.5), HEIGHT * (row + 0.5) / len(here)
    edges = [path([at[given], at[node.id]], "edge back") for node in data.nodes for given in dict.fromkeys(node.inputs)]
    boxes = [
        f'<rect class="node" x="{number(x - 26)}" y="{number(y - 13)}" width="52" height="26" rx="5"/>'
        f'<text x="{number(x)}" y="{number(y + 4)}" text-anchor="middle">{escape(node.title[:7])}</text>'
        for node in data.nodes
        for x, y in [at[node.id]]
    ]
    return [*edges, *boxes]


def grids(data: GridsData) -> list[str]:
    """The first group, at the step in the middle: the cells where it is are tinted."""
    shown = data.groups[0].grids[:3]
    across = sum(len(grid.values[0]) for grid in shown) + len(shown) - 1
    side = min((WIDTH - 2 * EDGE) / across, (HEIGHT - 2 * EDGE) / max(len(grid.values) for grid in shown))
    step = data.steps[len(data.steps) // 2] if data.steps else None
    marked = {
        (cells.grid, row, column)
        for cells in (step.cells if step else ())
        for row in cells.rows
        for column in cells.columns
    }
    drawn, left = [], (WIDTH - side * across) / 2
    for grid in shown:
        top = (HEIGHT - side * len(grid.values)) / 2
        for row, values in enumerate(grid.values):
            for column, value in enumerate(values):
                x, y = left + side * column, top + side * row
                here = (grid.id, row, column) in marked
                drawn.append(
                    f'<rect class="bar s{1 if here else 7}" fill-opacity="{0.4 if here else 0.12}" '
                    f'x="{number(x + 1)}" y="{number(y + 1)}" width="{number(side - 2)}" height="{number(side - 2)}"/>'
                    f'<text x="{number(x + side / 2)}" y="{number(y + side / 2 + 4)}" '
                    f'text-anchor="middle">{written(value)}</text>'
                )
        left += side * (len(grid.values[0]) + 1)
    return drawn


def drawing(data: FigureData) -> list[str]:
    match data:
        case LinesData():
            return lines(data)
        case BarsData() | HistogramData():
            return columns([series.y for series in data.series])
        case MatrixData():
            return texts(data.values)
        case HeatmapData():
            return cells(data.values, data.scale == "log")
        case ContourData():
            return contour(data)
        case GraphData():
            return graph(data)
        case TableData():
            return texts([data.columns, *data.rows])
        case GridsData():
            return grids(data)
    raise TypeError(type(data).__name__)


def card(experiment: Experiment[Any]) -> str:
    """The small figure of an experiment as SVG."""
    figures: dict[str, Figure] = {}
    for update in experiment.run(experiment.parameters(), 0):
        figures |= {figure.id: figure for figure in update.figures}
    chosen = figures[experiment.card or next(iter(figures))]
    inside = "\n".join(drawing(chosen.data))
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}">\n{inside}\n</svg>\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("ids", nargs="*", help="which experiments; by default all")
    for id in parser.parse_args().ids or experiments():
        file = FOLDER / id / "templates" / "card.svg"
        file.parent.mkdir(exist_ok=True)
        file.write_text(card(experiments()[id]), "utf-8")
        print(file)


if __name__ == "__main__":
    main()
