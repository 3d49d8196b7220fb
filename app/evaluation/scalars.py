"""The single numbers that an evaluation compares: those that the metrics declare, and those of the pointing games."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..attribution.metrics.base import Metric, metrics
from ..attribution.metrics.findings import Figures
from ..attribution.metrics.scalars import Scalar
from .box_pointing import BOX_POINTING

# Of the grid pointing game: the values come from the cells of grids (`tables`), so nothing is taken from figures.
LOCALISATION = Scalar(
    "grid_pointing.localisation",
    "Grid pointing game: localisation",
    "higher",
    "The share of a map's positive values that lies in the cell of the class it is for, in grids of four pictures; 0 "
    "of a map without any. Chance is 0.25. The interval is over the pictures, which come in several grids.",
    lambda figures: None,
    reference=0.25,
)
HITS = Scalar(
    "grid_pointing.hits", "Grid pointing game: cells hit", "higher",
    "How often the cell of the class gets more of the map's positive values than any other cell; a map without any "
    "misses. Chance is 0.25.",
    lambda figures: None,
    reference=0.25,
)  # fmt: skip
COVERAGE = Scalar(
    "grid_pointing.coverage", "Grid pointing game: cells with a map", "",
    "The share of the maps that have a positive value anywhere. The others count as misses in the two numbers above.",
    lambda figures: None,
)  # fmt: skip


def declared() -> dict[str, tuple[Scalar, ...]]:
    """The numbers that the metrics declare, by metric, in the order of lists for people."""
    ordered = sorted(metrics().values(), key=lambda metric: (metric.order, metric.id))
    return {metric.id: metric.scalars for metric in ordered if metric.scalars}


def measured() -> dict[str, Metric[Any]]:
    """All that may be measured of a map, by id: the metrics, and the pointing game with boxes."""
    return {**metrics(), BOX_POINTING.id: BOX_POINTING}


def _known() -> dict[str, tuple[Scalar, ...]]:
    """The numbers that are declared, by what is measured."""
    return {**declared(), BOX_POINTING.id: BOX_POINTING.scalars}


def figure(value: float) -> str:
    """A number as text with three decimals, or two significant digits for very small or large ones; with a true
    minus."""
    text = f"{value:.3f}" if 0.0095 <= abs(value) < 1000 or value == 0 else f"{value:.2g}"
    return text.replace("-", "−")


def scalars_of(metric: str, figures: Figures) -> Iterator[tuple[Scalar, float]]:
    """The scalars in a metric's figures that have a finite value. If a metric declares none: each scalar figure."""
    known = _known().get(metric) or list(_plugin_scalars(metric, figures))
    for number in known:
        value = number.take(figures)
        if value is not None and np.isfinite(value):
            yield number, float(value)


def sort_scalars(numbers: Iterable[Scalar]) -> list[Scalar]:
    """Sort scalars as the metrics declare them; those that no metric declares follow, then the pointing game."""
    listed = [number.id for own in _known().values() for number in own]
    places = {id: place for place, id in enumerate([*listed, "", LOCALISATION.id, HITS.id, COVERAGE.id])}
    return sorted(numbers, key=lambda number: places.get(number.id, places[""]))


def main_scalar(metric: str) -> str | None:
    """The id of the first scalar of a metric, by which pictures are sorted; None if it declares none."""
    return next((number.id for number in _known().get(metric, ())), None)


def _plugin_scalars(metric: str, figures: Figures) -> Iterator[Scalar]:
    known = measured().get(metric)
    title, summary = (known.title, known.summary) if known else (metric, "")
    for name, value in figures.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield Scalar(f"{metric}.{name}", f"{title}: {name.replace('_', ' ')}", "", summary, _figure_getter(name))


def _figure_getter(name: str) -> Callable[[Figures], float | None]:
    return lambda figures: figures[name]
