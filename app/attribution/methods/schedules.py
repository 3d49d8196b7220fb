"""Where on a path the gradients are taken.

A warp (schedule) spaces the points. A quadrature rule (midpoint, Gauss-Legendre) weights them. `doubling` refines a
grid and goes on using every gradient that was already computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Warp = Callable[[np.ndarray], np.ndarray]  # evenly spaced u in [0, 1] → positions t in [0, 1]; increasing, 0 → 0, 1 → 1
Sweep = list["Cell"]  # cells that together cover the whole path
MIN_FIRST_INTERVALS = 8  # minimum number of intervals of the first of several sweeps


@dataclass(frozen=True)
class Cell:
    """The piece of a path from t = `start` to t = `end`, in [0, 1]; its gradient is taken at t = `point`."""

    point: float
    start: float
    end: float


def power(exponent: float) -> Warp:
    """t = uᵖ: linear for p = 1, quadratic for p = 2, …"""
    return lambda u: u**exponent


def geometric(growth: float) -> Warp:
    """t = (bᵘ − 1)/(b − 1): each step is longer than the one before by the same factor.

    dt/du at the end is b = `growth` times dt/du at the start.
    """
    return lambda u: (growth**u - 1) / (growth - 1)


def hyperbolic(half: float) -> Warp:
    """t = h·u/(1 + h − u), h = `half`: equal steps of t/(t + h).

    On a path without an end (t → ∞), half of the steps would lie before t = h.
    """
    return lambda u: half * u / (1 + half - u)


def midpoint(steps: int, warp: Warp) -> Sweep:
    """The midpoint rule: cells of equal width in u, each with its gradient at the middle in u."""
    u = np.arange(steps)
    return _cells(warp((u + 0.5) / steps), warp(np.arange(steps + 1) / steps))


@lru_cache(maxsize=32)
def gauss_legendre(steps: int) -> Sweep:
    """Gauss-Legendre quadrature: its points, each in a cell as long as the point's weight."""
    points, weights = np.polynomial.legendre.leggauss(steps)
    return _cells((points + 1) / 2, np.concatenate([[0], np.cumsum(weights / 2)]))


def doubling(steps: int, warp: Warp) -> list[Sweep]:
    """Sweeps with at most `steps` gradients in all; each sweep after the first halves the intervals so far.

    The first is a trapezoid rule with k to 2k intervals, k = `MIN_FIRST_INTERVALS` (fewer if `steps` is small), ends
    included. Each later one is a midpoint rule on the intervals so far. Each sweep integrates the whole path by itself.
    Their mean, weighted by their numbers of gradients, is approximately the trapezoid rule on all points.
    """
    if steps == 1:
        return [midpoint(1, warp)]
    intervals = steps - 1
    while intervals >= 2 * MIN_FIRST_INTERVALS:
        intervals //= 2
    sweeps = [_cells_around(np.arange(intervals + 1) / intervals, warp)]
    while 2 * intervals < steps:
        sweeps.append(_cells_around((np.arange(intervals) + 0.5) / intervals, warp))
        intervals *= 2
    return sweeps


def _cells_around(u: np.ndarray, warp: Warp) -> Sweep:
    """Cells that meet halfway, in u, between neighbouring points."""
    return _cells(warp(u), warp(np.concatenate([[0], (u[1:] + u[:-1]) / 2, [1]])))


def _cells(points: np.ndarray, edges: np.ndarray) -> Sweep:
    """Cells with these points and edges (one more than points), in the order of `van_der_corput_order`."""
    cells = [Cell(*map(float, cell)) for cell in zip(points, edges, edges[1:], strict=False)]
    return [cells[i] for i in van_der_corput_order(len(cells))]


def van_der_corput_order(steps: int) -> list[int]:
    """0 … steps − 1 in van der Corput order (bits reversed).

    However many are taken from its front, they lie evenly on the path. So an unfinished map is already an estimate of
    the final one.
    """
    bits = max(1, math.ceil(math.log2(steps))) if steps > 1 else 1
    order = (int(f"{i:0{bits}b}"[::-1], 2) for i in range(1 << bits))
    return [i for i in order if i < steps]
