"""Draws plots as small SVG files, with colours for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from .scalars import figure

WIDTH = 480  # narrow enough that the text is legible on a phone
COLOURS = 8
STYLE = """<style>
.plot text { font: 13px system-ui, sans-serif; fill: #1b1c1e; font-variant-numeric: tabular-nums }
.plot .title { font-weight: 600 } .plot .small { font-size: 12px; fill: #595c60 }
.plot .grid { stroke: #d8d8d6 } .plot .zero { stroke: #74777c; stroke-dasharray: 3 3 }
.plot .mark { fill: var(--c); stroke: none } .plot .line { stroke: var(--c); fill: none; stroke-width: 2 }
.plot .thin { stroke-width: 1.5 } .plot .dash { stroke-dasharray: 6 4 } .plot .dot { stroke-dasharray: 2 3 }
.plot .band { fill: var(--c); opacity: .16 } .plot .control { --c: #74777c }
.plot .s0 { --c: #0b62c4 } .plot .s1 { --c: #c2600a } .plot .s2 { --c: #0a7d69 } .plot .s3 { --c: #a0308c }
.plot .s4 { --c: #6a55d8 } .plot .s5 { --c: #846800 } .plot .s6 { --c: #c02f3f } .plot .s7 { --c: #44741a }
@media (prefers-color-scheme: dark) { .plot text { fill: #e9e9e7 } .plot .small { fill: #a6a9ae }
.plot .grid { stroke: #36383b } .plot .zero { stroke: #868885 } .plot .control { --c: #a6a9ae }
.plot .s0 { --c: #6aaefb } .plot .s1 { --c: #f0a05a } .plot .s2 { --c: #4fd0b8 } .plot .s3 { --c: #ef8ad9 }
.plot .s4 { --c: #b3a8ff } .plot .s5 { --c: #d8bd4a } .plot .s6 { --c: #ff8f9a } .plot .s7 { --c: #a6d46b } }
@media print { .plot text { fill: #000 } .plot .grid { stroke: #ccc } }
</style>"""


@dataclass(frozen=True)
class PlotPoint:
    """A mean with its interval, if there is one. A method has the same colour in all plots."""

    name: str
    colour: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class PlotLine:
    """A mean curve with its band. Controls have no colour, but dashes."""

    name: str
    colour: int | None
    values: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    dashes: str = ""


def point_plot(title: str, model: str, caption: str, rows: Sequence[PlotPoint], reference: float | None) -> str:
    """A plot with a row for each point, and a dashed line at `reference`, the value of a worthless map."""
    ends = [edge for row in rows for edge in (row.low, row.high, row.value) if edge is not None]
    ends += [] if reference is None else [reference]
    marks = ticks(min(ends), max(ends))
    low, high = min(marks[0], *ends), max(marks[-1], *ends)
    left, right, top, step = 178, WIDTH - 70, 60, 28
    bottom = top + step * len(rows)

    def x(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    parts = [text(8, 18, title, cls="title"), text(8, 36, model, cls="small")]
    for tick in marks:
        parts += [line(x(tick), top - 6, x(tick), bottom, "grid"), text(x(tick), bottom + 16, _tick(tick), "middle")]
    if reference is not None:
        parts.append(line(x(reference), top - 10, x(reference), bottom, "zero"))
    for number, row in enumerate(rows):
        y = top + step * (number + 0.5) - 2
        tooltip = f"{row.name}: {figure(row.value)}"
        bar = ""
        if row.low is not None and row.high is not None:
            tooltip += f" ({figure(row.low)} to {figure(row.high)})"
            bar = line(x(row.low), y, x(row.high), y, "line")
        parts.append(
            f'<g class="s{row.colour % COLOURS}"><title>{escape(tooltip)}</title>{bar}'
            f'<circle class="mark" cx="{x(row.value):.1f}" cy="{y:.1f}" r="5"/></g>'
        )
        parts += [text(left - 12, y + 4, row.name, "end"), text(right + 10, y + 4, figure(row.value))]
    parts.append(text(right, bottom + 34, caption, "end", "small"))
    return _document(bottom + 42, f"{title}, {model}", parts)


def curve_plot(title: str, model: str, caption: str, series: Sequence[PlotLine]) -> str:
    """A plot of curves: x from 0 to 100 % of the pixels, y the probability from zero."""
    highest = max(float(np.max(curve.values if curve.high is None else curve.high)) for curve in series)
    marks = ticks(0, highest)
    legend_rows = [series[start : start + 2] for start in range(0, len(series), 2)]
    left, right, height = 46, WIDTH - 12, 210
    top = 58 + 20 * len(legend_rows)

    def place(share: float, value: float) -> str:
        return f"{left + (right - left) * share:.1f},{top + height * (1 - value / max(marks[-1], highest)):.1f}"

    parts = [text(8, 18, title, cls="title"), text(8, 36, model, cls="small")]
    for number, pair in enumerate(legend_rows):
        for column, curve in enumerate(pair):
            parts.append(_legend_entry(8 + 236 * column, 58 + 20 * number, curve))
    for tick in marks:
        y = float(place(0, tick).partition(",")[2])
        parts += [line(left, y, right, y, "grid"), text(left - 6, y + 4, _tick(tick), "end")]
    for share in (0, 0.25, 0.5, 0.75, 1):
        at = left + (right - left) * share
        anchor = "end" if share == 1 else "middle"
        parts.append(text(at, top + height + 18, f"{100 * share:.0f} %", anchor))
    for curve in series:
        steps = len(curve.values) - 1
        points = [place(k / steps, value) for k, value in enumerate(curve.values.tolist())]
        band = ""
        if curve.low is not None and curve.high is not None and curve.colour is not None:
            upper = [place(k / steps, value) for k, value in enumerate(curve.high.tolist())]
            lower = [place(k / steps, value) for k, value in enumerate(curve.low.tolist())]
            band = f'<polygon class="band" points="{" ".join(upper + lower[::-1])}"/>'
        parts.append(
            f'<g class="{_class(curve)}">{band}<polyline class="line {curve.dashes}" points="{" ".join(points)}"/></g>'
        )
    parts.append(text(right, top + height + 38, caption, "end", "small"))
    return _document(top + height + 46, f"{title}, {model}", parts)


def ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers that cover `low` to `high`."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= next(times for times in (1, 2, 5, 10) if (high - low) / (step * times) <= 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def _tick(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _class(curve: PlotLine) -> str:
    return "control" if curve.colour is None else f"s{curve.colour % COLOURS}"


def _legend_entry(x: float, y: float, curve: PlotLine) -> str:
    return (
        f'<g class="{_class(curve)}">{line(x, y - 4, x + 22, y - 4, f"line {curve.dashes}")}</g>'
        f"{text(x + 30, y, curve.name)}"
    )


def text(x: float, y: float, content: str, anchor: str = "start", cls: str = "") -> str:
    kind = f' class="{cls}"' if cls else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, cls: str) -> str:
    return f'<line class="{cls}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _document(height: float, title: str, parts: list[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">\n{STYLE}\n{body}\n</svg>\n'
    )
