"""Means over seeds, with the interval in which the true mean lies with 95 % confidence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

from torch import Tensor

from ..contract.experiments import Series, Verdict
from .values import numbers

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean and the ends of its interval."""

    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Of a claim that the mean is above 0: holds or fails where the whole interval says so, else depends."""
        return "holds" if self.low > 0 else "fails" if self.high < 0 else "depends"


@cache
def t_quantile(freedom: int) -> float:
    """The quantile of Student's t (1908, doi:10.1093/biomet/6.1.1) with so many degrees of freedom that leaves 2.5 %
    above it."""
    from scipy.special import stdtrit  # imported here: that takes longer than a first figure may

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def intervals(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, low and high over the last dimension, which has a value for each seed (two at least)."""
    values = values.double()
    seeds = values.shape[-1]
    mean = values.mean(-1)
    half = t_quantile(seeds - 1) * values.std(-1) / seeds**0.5
    return mean, mean - half, mean + half


def interval(values: Tensor) -> Interval:
    """The mean of a value for each seed."""
    return Interval(*(float(one) for one in intervals(values)))


def interval_series(id: str, x: Sequence[float], values: Tensor, style: Literal["line", "dashed"] = "line") -> Series:
    """A line of means (points, seeds) with its interval."""
    mean, low, high = (numbers(one) for one in intervals(values))
    return Series(id=id, x=list(x), y=mean, low=low, high=high, style=style)
