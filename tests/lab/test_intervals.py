"""Intervals over seeds, against tables and by drawing."""

from __future__ import annotations

import pytest
import torch
from gradoscope.lab.intervals import Interval, interval, interval_series, intervals, t_quantile

TABLE = {1: 12.7062, 2: 4.30265, 3: 3.18245, 4: 2.77645, 5: 2.57058, 9: 2.26216, 19: 2.09302, 39: 2.02269}


@pytest.mark.parametrize(("freedom", "quantile"), TABLE.items())
def test_the_quantiles_are_those_of_the_table(freedom: int, quantile: float) -> None:
    assert t_quantile(freedom) == pytest.approx(quantile, rel=1e-5)


def test_an_interval_by_hand() -> None:
    found = interval(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    half = 3.18245 * (5 / 3) ** 0.5 / 2  # the variance of four is 5/3
    assert found == pytest.approx((2.5, 2.5 - half, 2.5 + half), rel=1e-5)


def test_95_of_100_intervals_hold_the_mean() -> None:
    drawn = torch.randn(4000, 5, generator=torch.Generator().manual_seed(0)) + 3
    _, low, high = intervals(drawn)
    assert float(((low < 3) & (high > 3)).float().mean()) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(
    ("ends", "verdict"), [((0.1, 0.3), "holds"), ((-0.3, -0.1), "fails"), ((-0.1, 0.3), "depends"), ((0, 0), "depends")]
)
def test_the_verdict_is_that_of_the_whole_interval(ends: tuple[float, float], verdict: str) -> None:
    assert Interval(0.2, *ends).verdict == verdict


def test_a_line_of_means() -> None:
    line = interval_series("one", [1, 2], torch.tensor([[1.0, 1.0], [1.0, 3.0]]))
    assert (line.id, line.x, line.y) == ("one", [1, 2], [1.0, 2.0])
    assert line.low == pytest.approx([1.0, 2 - 12.7062], rel=1e-5)
    assert line.high == pytest.approx([1.0, 2 + 12.7062], rel=1e-5)
