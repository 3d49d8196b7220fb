"""What a metric's figures say of a map: a code, how grave it is, and the numbers of its sentence.

Thresholds are conventions; every sentence names its numbers, so that a reader can hold another view. The sentences
themselves are texts of the page, for each language: `finding.CODE` in the metric's folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

Level = Literal["support", "doubt", "note"]
Figures = dict[str, Any]
Values = dict[str, Any]  # of a sentence: numbers and names
Found = tuple[str, Level, Values]  # code, level, values
Findings = Iterator[Found]

# Rank correlations from which two maps count as the same, or as similar, and below which they count as different.
SAME_FROM, SIMILAR_FROM, DIFFERENT_BELOW = 0.9, 0.7, 0.5


def short(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")


def percent(share: float) -> float:
    """A share in percent; whole where it is at least 10."""
    value = short(100 * share)
    return round(100 * share) if abs(value) >= 10 else value


def rank_of(record: Figures) -> float:
    """The rank correlation of a comparison."""
    rank: float = record["rank_correlation"]
    return rank
