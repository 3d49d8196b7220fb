"""Plots as small SVG files, light and dark as the reader's page is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from gradoscope.evaluation.svg import line, text

WIDTH = 720
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #333; font-variant-numeric: tabular-nums }
.small { font-size: 11px; fill: #666 } .grid { stroke: #ddd } .axis { stroke: #999 }
.s0 { --c: #0b62c4 } .s1 { --c: #0a8a74 } .s2 { --c: #c2600a } .s3 { --c: #777 }
.mark { fill: var(--c); stroke: var(--c) } .line { stroke: var(--c); fill: none; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .small { fill: #aaa } .grid { stroke: #333 }
.axis { stroke: #777 } .s0 { --c: #6aaefb } .s1 { --c: #4fd0b8 } .s2 { --c: #f0a05a } .s3 { --c: #aaa } }
</style>"""


@dataclass(frozen=True)
class Dot:
    """A value with its range."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """Measured points and the line through them."""

    title: str
    across: str  # label of the x axis
    up: str  # label of the y axis
    series: dict[str, list[tuple[float, float]]]
    fits: dict[str, tuple[float, float]]  # slope and intercept


def dots(title: str, unit: str, rows: dict[str, dict[str, Dot]]) -> str:
    """A row for each of `rows`, a dot with its range for each series, on a logarithmic axis."""
    series = list(dict.fromkeys(name for row in rows.values() for name in row))
    ends = [edge for row in rows.values() for dot in row.values() for edge in (dot.low, dot.high)]
    low, high = min(ends) / 1.15, max(ends) * 1.15
    left, right, top, step = 150, WIDTH - 20, 56, 34
    height = top + step * len(rows) + 44

    def x(value: float) -> float:
        return left + (right - left) * math.log(value / low) / math.log(high / low)

    parts = [text(left, 18, title), *_legend(series, left, 38)]
    bottom = top + step * len(rows)
    for tick in log_ticks(low, high):
        parts.append(line(x(tick), top - 6, x(tick), bottom, "grid"))
        parts.append(text(x(tick), bottom + 16, f"{tick:g}", "middle", "small"))
    parts.append(text(right, bottom + 34, f"{unit}, logarithmic", "end", "small"))
    for number, (name, row) in enumerate(rows.items()):
        y = top + step * (number + 0.5)
        parts.append(text(left - 10, y + 4, name, "end"))
        for label, dot in row.items():
            place = series.index(label)
            at = y + (place - (len(series) - 1) / 2) * 6
            parts.append(
                f'<g class="s{place % 4}"><title>{escape(name)}, {escape(label)}: {dot.value:.3g} {escape(unit)} '
                f"({dot.low:.3g} to {dot.high:.3g})</title>{line(x(dot.low), at, x(dot.high), at, 'line')}"
                f'<circle class="mark" cx="{x(dot.value):.1f}" cy="{at:.1f}" r="4"/></g>'
            )
    return _document(height, title, parts)


def lines(title: str, panels: Sequence[Panel]) -> str:
    """Small panels, two in a row, from zero on both axes."""
    wide, high, left, gap = 270, 150, 62, 84
    rows = -(-len(panels) // 2)
    parts = [text(left, 18, title)]
    for number, panel in enumerate(panels):
        x0 = left + (number % 2) * (wide + gap)
        y0 = 66 + (number // 2) * (high + 92)
        parts += _panel(panel, x0, y0, wide, high)
    return _document(66 + rows * (high + 92) - 20, title, parts)


def _panel(panel: Panel, x0: float, y0: float, wide: float, high: float) -> list[str]:
    points = [point for found in panel.series.values() for point in found]
    right, top = max(p[0] for p in points) * 1.04, (max(p[1] for p in points) or 1.0) * 1.1

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return x0 + wide * point[0] / right, y0 + high * (1 - point[1] / top)

    parts = [text(x0, y0 - 26, panel.title), *_legend(list(panel.series), x0, y0 - 10)]
    for tick in ticks(top):
        y = place((0, tick))[1]
        parts += [line(x0, y, x0 + wide, y, "grid"), text(x0 - 6, y + 4, f"{tick:g}", "end", "small")]
    for tick in ticks(right):
        parts.append(text(place((tick, 0))[0], y0 + high + 16, f"{tick:g}", "middle", "small"))
    parts.append(text(x0 + wide, y0 + high + 32, f"{panel.across} → {panel.up}", "end", "small"))
    for number, (name, found) in enumerate(panel.series.items()):
        slope, intercept = panel.fits[name]
        start, end = place((0, max(0, intercept))), place((right, slope * right + intercept))
        marks = "".join(
            f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in (place(point) for point in found)
        )
        parts.append(f'<g class="s{number % 4}">{line(*start, *end, "line")}{marks}</g>')
    return parts


def ticks(top: float) -> list[float]:
    """Round numbers from 0 to `top`, four to eight of them."""
    step = 10.0 ** math.floor(math.log10(top))
    while top / step < 4:
        step /= 2
    return [round(i * step, 10) for i in range(int(top / step) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20 … within the ends."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [tick for decade in decades for mantissa in (1, 2, 5) if low <= (tick := mantissa * 10.0**decade) <= high]


def _legend(series: list[str], x: float, y: float) -> list[str]:
    parts = []
    for number, name in enumerate(series):
        parts.append(f'<circle class="mark s{number % 4}" cx="{x + 4:.1f}" cy="{y - 4:.1f}" r="4"/>')
        parts.append(text(x + 13, y, name, cls="small"))
        x += 30 + 6.2 * len(name)
    return parts


def _document(height: float, title: str, parts: list[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">\n{STYLE}\n{body}\n</svg>\n'
    )
