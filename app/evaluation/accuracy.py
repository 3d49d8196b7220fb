"""How often a model is right: its top class is the class that was named for the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .records import LookRecord, is_right

Z95 = 1.959963984540054  # half of the width of a standard normal's central 95 %


@dataclass(frozen=True)
class Accuracy:
    """Of the `pictures` of a model with a named class, `right` have it as top class, `in_top` among the listed top
    classes. `low` and `high` are the 95 % interval of `accuracy`."""

    model: str
    pictures: int
    right: int
    in_top: int
    accuracy: float
    low: float
    high: float


def accuracies(predictions: Iterable[LookRecord]) -> list[Accuracy]:
    """The accuracy of each model that has pictures with a named class."""
    by_model: dict[str, list[LookRecord]] = {}
    for prediction in predictions:
        if "target" in prediction:
            by_model.setdefault(prediction["model"], []).append(prediction)
    found = []
    for model, looks in by_model.items():
        right = sum(map(is_right, looks))
        in_top = sum(look["target"]["index"] in [one["index"] for one in look["classes"]] for look in looks)
        found.append(Accuracy(model, len(looks), right, in_top, right / len(looks), *wilson(right, len(looks))))
    return found


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The ends of the 95 % confidence interval of a proportion p = hits / count, by Wilson's score.

    (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n), z = 1.96, n = count. Wilson 1927,
    doi:10.1080/01621459.1927.10502953. Unlike resampling it has a width where all are hits, or none.
    """
    share, spread = hits / count, Z95**2 / count
    centre = share + spread / 2
    half = Z95 * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    low, high = (centre - half) / (1 + spread), (centre + half) / (1 + spread)
    return (0.0 if hits == 0 else low), (1.0 if hits == count else high)
