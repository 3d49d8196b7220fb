"""Single numbers in what a metric has found: named, with what they say and which way is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .findings import Figures

Better = Literal["lower", "higher", ""]
WORDS = {"lower": "lower is better", "higher": "higher is better", "": ""}


@dataclass(frozen=True)
class Scalar:
    """A number of a metric; `says` is a sentence for readers, `better` is empty where neither direction is,
    and `reference` is its value for a worthless map."""

    id: str  # METRIC.NAME
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


def mean_of(records: list[Figures], name: str) -> float | None:
    """The mean of a number over the records that have it."""
    found = [record[name] for record in records if record.get(name) is not None]
    return float(np.mean(found)) if found else None


def size_of(name: str) -> Callable[[Figures], float | None]:
    """Takes a figure without its sign."""
    return lambda figures: None if figures.get(name) is None else abs(figures[name])
