"""Single numbers in what a metric has found: named, with what they say and which way is better."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..attribution.metrics.base import metrics
from ..contract.wire import JsonObject

Figures = JsonObject
Better = Literal["lower", "higher", ""]
WORDS = {"lower": "lower is better", "higher": "higher is better", "": ""}


@dataclass(frozen=True)
class Scalar:
    """A number of a metric; `says` is a sentence for readers, `better` is empty where neither way is, and `reference`
    what a map worth nothing has."""

    id: str
    title: str
    better: Better
    says: str
    take: Callable[[Figures], float | None]
    reference: float | None = None

    @property
    def metric(self) -> str:
        return self.id.partition(".")[0]

    @property
    def direction(self) -> str:
        return WORDS[self.better]


def _curves(metric: str, better: Better, sign: int, does: str) -> list[Scalar]:
    """The numbers of deletion and insertion; a gain is positive where the map does better than a control."""

    def over(control: Callable[[Figures], float]) -> Callable[[Figures], float]:
        return lambda figures: sign * (figures["map"]["area"] - control(figures))

    return [
        Scalar(
            f"{metric}.gain_random", f"{metric.capitalize()}: gain over a random order", "higher",
            f"By how much the area under the curve is better than where pixels {does} in a random order. At or below "
            "zero the map's order is worth no more than chance.",
            over(lambda figures: figures["random_area"]),
            reference=0.0,
        ),
        Scalar(
            f"{metric}.gain_displaced", f"{metric.capitalize()}: gain over the map displaced", "higher",
            "The same against the map itself, moved elsewhere: as coarse or as scattered as the map, which "
            "a random order is not. At or below zero, where the map points is worth no more than any other place.",
            over(lambda figures: figures["displaced_area"]),
        ),
        Scalar(
            f"{metric}.gain_gaussian", f"{metric.capitalize()}: gain over a centred Gaussian", "higher",
            "The same against an order from the centre outwards, which knows nothing of the picture but where "
            "photographers put things.",
            over(lambda figures: figures["gaussian"]["area"]),
            reference=0.0,
        ),
        Scalar(
            f"{metric}.area", f"{metric.capitalize()}: area under the curve", better,
            f"The mean probability of the class while pixels {does}, the map's strongest first. It hangs on the "
            "picture and on how sure the model was: compare methods on the same pictures only.",
            lambda figures: figures["map"]["area"],
        ),
    ]  # fmt: skip


def _mean(records: list[Figures], name: str) -> float | None:
    found = [record[name] for record in records if record.get(name) is not None]
    return float(np.mean(found)) if found else None


def _stage(place: int, name: str) -> Callable[[Figures], float | None]:
    return lambda figures: figures["stages"][place].get(name)


def _trial(id: str) -> Callable[[Figures], float | None]:
    return lambda figures: _mean([trial for trial in figures["trials"] if trial["id"] == id], "rank_correlation")


def _size(name: str) -> Callable[[Figures], float | None]:
    return lambda figures: None if figures.get(name) is None else abs(figures[name])


FORGETS = "A map that stays as it was does not depend on what the network has learned. 1 is the same map, 0 unrelated."
STAYS = "How alike the map is to that of the picture {}: rank correlation, 1 is the same map."
NUMBERS = (
    *_curves("deletion", "lower", -1, "go"),
    *_curves("insertion", "higher", 1, "come"),
    Scalar(
        "randomisation.rank_correlation_last", "Randomisation: rank correlation, all layers random", "lower",
        f"How alike the map is to that of the same network with every layer drawn at random. {FORGETS}",
        _stage(-1, "rank_correlation"),
    ),
    Scalar(
        "randomisation.ssim_last", "Randomisation: SSIM, all layers random", "lower",
        f"The same by structural similarity, which looks at local patterns rather than ranks. {FORGETS}",
        _stage(-1, "ssim"),
    ),
    Scalar(
        "randomisation.rank_correlation_first", "Randomisation: rank correlation, top layer random", "lower",
        "How alike the map is once only the layer next to the logits, which tells the classes apart, is random.",
        _stage(0, "rank_correlation"),
    ),
    Scalar(
        "randomisation.ssim_first", "Randomisation: SSIM, top layer random", "lower",
        "The same by structural similarity.", _stage(0, "ssim"),
    ),
    Scalar(
        "class_sensitivity.rank_correlation", "Class sensitivity: rank correlation with other classes", "lower",
        "The mean likeness of the map to those of other classes. Near 1 it is much the same for any class, and cannot "
        "say what speaks for this one.",
        lambda figures: _mean(figures["classes"], "rank_correlation"),
    ),
    Scalar("stability.shift", "Stability: shifted by a pixel", "higher", STAYS.format("one pixel to the right"),
           _trial("shift")),
    Scalar("stability.jpeg", "Stability: packed as JPEG", "higher", STAYS.format("as a JPEG"), _trial("jpeg")),
    Scalar("stability.mirror", "Stability: mirrored", "higher", STAYS.format("mirrored, mirrored back"),
           _trial("mirror")),
    Scalar("stability.seed", "Stability: another seed", "higher",
           "How alike two maps are that differ in nothing but what was drawn. Take more samples where it is low.",
           _trial("seed")),
    Scalar(
        "gradient_check.relative_error", "Gradient check: relative error", "lower",
        "How far the map is from the gradient, by the score's slopes along random directions. Only the plain gradient "
        "is meant to pass.",
        _size("relative_error"),
    ),
    Scalar(
        "completeness.relative_error", "Completeness: relative error, without its sign", "lower",
        "How far the map's sum is from the change of the score that it shares out. More steps make it smaller.",
        _size("relative_error"),
    ),
    Scalar(
        "infidelity.unexplained", "Infidelity: share left unexplained", "lower",
        "The share of the score's changes that the map's forecast misses: 0 is a perfect forecast, 1 none at all.",
        _size("unexplained"),
    ),
    Scalar(
        "infidelity.infidelity", "Infidelity", "lower",
        "The mean squared error of the map's forecast of how the score falls where squares are taken away; in units of "
        "the squared score, so of one model only.",
        _size("infidelity"),
    ),
    Scalar(
        "max_sensitivity.max_sensitivity", "Maximum sensitivity", "lower",
        "How far the map moves at most, in its own size, when pixel values move a little.",
        _size("max_sensitivity"),
    ),
)  # fmt: skip
LOCALISATION = Scalar(
    "grid_pointing.localisation",
    "Grid pointing game: localisation",
    "higher",
    "The share of a map's positive values that lies in the cell of the class it is for, in grids of four pictures. "
    "Chance is 0.25.",
    lambda figures: None,
    reference=0.25,
)
HITS = Scalar(
    "grid_pointing.hits", "Grid pointing game: cells hit", "higher",
    "How often the cell of the class gets more of the map's positive values than any other cell. Chance is 0.25.",
    lambda figures: None,
    reference=0.25,
)  # fmt: skip


def figure(value: float) -> str:
    """Three decimals, or two digits where that says little; with a true minus."""
    text = f"{value:.3f}" if 0.0095 <= abs(value) < 1000 or value == 0 else f"{value:.2g}"
    return text.replace("-", "−")


def scalars_of(metric: str, figures: Figures) -> Iterator[tuple[Scalar, float]]:
    """The numbers in the figures of a metric that have a finite value; of one not known here, each scalar figure."""
    known = [number for number in NUMBERS if number.metric == metric] or list(_any(metric, figures))
    for number in known:
        value = number.take(figures)
        if value is not None and np.isfinite(value):
            yield number, float(value)


def in_order(numbers: Iterable[Scalar]) -> list[Scalar]:
    """As they are listed here; those that are not known here behind, the game last."""
    places = {number.id: place for place, number in enumerate(NUMBERS)}
    places |= {LOCALISATION.id: len(places) + 1, HITS.id: len(places) + 2}
    return sorted(numbers, key=lambda number: places.get(number.id, len(NUMBERS)))


def leading(metric: str) -> str | None:
    """The first number of a metric, by which pictures are put in an order; None of one not known here."""
    return next((number.id for number in NUMBERS if number.metric == metric), None)


def _any(metric: str, figures: Figures) -> Iterator[Scalar]:
    known = metrics().get(metric)
    title, summary = (known.title, known.summary) if known else (metric, "")
    for name, value in figures.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield Scalar(f"{metric}.{name}", f"{title}: {name.replace('_', ' ')}", "", summary, _value(name))


def _value(name: str) -> Callable[[Figures], float | None]:
    return lambda figures: figures[name]
