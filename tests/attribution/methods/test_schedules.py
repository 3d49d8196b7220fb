"""Schedules, quadrature rules, and sweeps that halve the distances between steps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from gradoscope.attribution.methods.schedules import (
    MIN_FIRST_INTERVALS,
    Sweep,
    Warp,
    doubling,
    gauss_legendre,
    geometric,
    hyperbolic,
    midpoint,
    power,
    van_der_corput_order,
)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 8, 9, 50, 1000, 2000])
def test_van_der_corput_order_visits_each_step_once(steps: int) -> None:
    order = van_der_corput_order(steps)
    assert sorted(order) == list(range(steps))
    first = sorted(order[: max(1, steps // 4)])
    assert max(np.diff([0, *first, steps - 1]), default=0) <= max(8, steps / len(first) * 3)


WARPS: list[Warp] = [power(1), power(2), geometric(11), hyperbolic(0.18), hyperbolic(9.0)]


@pytest.mark.parametrize("warp", WARPS)
def test_warps_lead_from_end_to_end(warp: Warp) -> None:
    points = warp(np.linspace(0, 1, 101))
    assert points[0] == 0
    assert points[-1] == pytest.approx(1, abs=1e-15)
    assert (np.diff(points) > 0).all()


def test_warps() -> None:
    """Geometric steps grow by one factor; hyperbolic ones are equal in t/(t + half)."""
    steps = np.diff(geometric(11)(np.arange(101) / 100))
    assert steps[1:] / steps[:-1] == pytest.approx(np.full(99, 11**0.01))
    points = hyperbolic(0.18)(np.arange(101) / 100)
    assert np.diff(points / (points + 0.18)) == pytest.approx(np.full(100, 1 / 1.18 / 100))


def covers(sweep: Sweep) -> bool:
    """Whether the cells cover the path once, each with its point inside."""
    cells = sorted(sweep, key=lambda cell: cell.start)
    whole = cells[0].start == 0 and cells[-1].end == pytest.approx(1, abs=1e-12)
    joined = all(one.end == other.start for one, other in pairwise(cells))
    return whole and joined and all(cell.start <= cell.point <= cell.end for cell in cells)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 16, 50, 333])
def test_every_sweep_covers_the_path(steps: int) -> None:
    for sweep in (
        gauss_legendre(steps),
        *(s for warp in WARPS for s in (midpoint(steps, warp), *doubling(steps, warp))),
    ):
        assert covers(sweep)
    assert len(gauss_legendre(steps)) == steps
    assert all(len(midpoint(steps, warp)) == steps for warp in WARPS)


@pytest.mark.parametrize("steps", [1, 2, 5, 50, 333])
def test_gauss_legendre_is_exact_for_polynomials(steps: int) -> None:
    cells = gauss_legendre(steps)
    for power_ in range(min(2 * steps, 30)):
        integral = sum((cell.end - cell.start) * cell.point**power_ for cell in cells)
        assert integral == pytest.approx(1 / (power_ + 1))


@pytest.mark.parametrize("steps", [*range(1, 70), 333, 1000, 2000])
def test_doubling(steps: int) -> None:
    """Each sweep halves the gaps: after each, all points are evenly spread in u; hardly a step is left unused."""
    sweeps = doubling(steps, power(1))
    taken = sum(map(len, sweeps))
    assert steps - (steps - 1) / MIN_FIRST_INTERVALS <= taken <= steps
    assert len(sweeps[0]) <= 2 * MIN_FIRST_INTERVALS
    points = [cell.point for cell in sweeps[0]]
    for sweep in sweeps[1:]:
        assert len(sweep) == len(points) - 1
        points += [cell.point for cell in sweep]
        assert np.diff(sorted(points)) == pytest.approx(np.full(len(points) - 1, 1 / (len(points) - 1)))


@pytest.mark.parametrize("steps", [17, 50, 400])
def test_mean_of_the_sweeps_is_the_trapezoid_rule(steps: int) -> None:
    sweeps = doubling(steps, power(1))
    weights: dict[float, float] = {}
    for sweep in sweeps:
        for cell in sweep:
            weights[cell.point] = (cell.end - cell.start) * len(sweep) / sum(map(len, sweeps))
    inside = np.array([weights[point] for point in sorted(weights)])[1:-1]
    assert inside == pytest.approx(np.full(len(inside), 1 / (len(inside) + 1)), rel=2 / MIN_FIRST_INTERVALS)
    assert sum(weights.values()) == pytest.approx(1)
