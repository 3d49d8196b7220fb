"""How sure a mean over a few seeds is."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Means over the first axis, and the ends of the interval around each."""

    mean: Tensor
    low: Tensor
    high: Tensor


def interval(values: Tensor, level: float = LEVEL) -> Interval:
    """The mean over the first axis and its confidence interval, x̄ ± t·s/√n with Student's t of n − 1 degrees.

    Student 1908, doi:10.1093/biomet/6.1.1. One value has an interval of no width: nothing is known of its spread.
    """
    from scipy.special import stdtrit  # here, and not above: importing scipy takes longer than a first figure

    number = len(values)
    mean = values.mean(0)
    if number < 2:
        return Interval(mean, mean, mean)
    half = float(stdtrit(number - 1, (1 + level) / 2)) * values.std(0) / number**0.5
    return Interval(mean, mean - half, mean + half)
