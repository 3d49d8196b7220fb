"""Where on a path the gradients are taken: schedules, rules, and grids that grow without losing a point."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Warp = Callable[[np.ndarray], np.ndarray]  # evenly spaced u in [0, 1] → places t in [0, 1], increasing, 0 → 0, 1 → 1
Sweep = list["Cell"]
FIRST = 8  # intervals, at least, of the first of several grids


@dataclass(frozen=True)
class Cell:
    """A piece of a path, from t = `start` to `end`, whose gradient is taken at `place`; t in [0, 1]."""

    place: float
    start: float
    end: float


def power(exponent: float) -> Warp:
    """t = uᵖ: linear, quadratic, …"""
    return lambda u: u**exponent


def geometric(growth: float) -> Warp:
    """t = (bᵘ − 1)/(b − 1): steps grow by one factor, so that the path ends b = `growth` times as fast as it began."""
    return lambda u: (growth**u - 1) / (growth - 1)


def hyperbolic(half: float) -> Warp:
    """Equal steps of t/(t + `half`): half of an endless path's steps lie before `half`."""
    return lambda u: half * u / (1 + half - u)


def midpoint(steps: int, warp: Warp) -> Sweep:
    """Cells that are equal in u, each with its gradient at the middle in u."""
    u = np.arange(steps)
    return _spread(warp((u + 0.5) / steps), warp(np.arange(steps + 1) / steps))


@lru_cache(maxsize=32)
def gauss_legendre(steps: int) -> Sweep:
    """Gauss's places, in cells as long as their weights."""
    places, weights = np.polynomial.legendre.leggauss(steps)
    return _spread((places + 1) / 2, np.concatenate([[0], np.cumsum(weights / 2)]))


def doubling(steps: int, warp: Warp) -> list[Sweep]:
    """Sweeps that take at most `steps` gradients together, each but the first in the gaps between all before.

    The first is a trapezoid rule with `FIRST` to 2·`FIRST` intervals, ends included; each next one is a midpoint rule
    on the intervals so far, and halves them. Each is a rule for the whole path, and the mean of all, weighted by their
    gradients, is the trapezoid rule on all places (up to the warp's curvature).
    """
    if steps == 1:
        return [midpoint(1, warp)]
    intervals = steps - 1
    while intervals >= 2 * FIRST:
        intervals //= 2
    sweeps = [_between(np.arange(intervals + 1) / intervals, warp)]
    while 2 * intervals < steps:
        sweeps.append(_between((np.arange(intervals) + 0.5) / intervals, warp))
        intervals *= 2
    return sweeps


def _between(u: np.ndarray, warp: Warp) -> Sweep:
    """Cells that meet half way, in u, between their places."""
    return _spread(warp(u), warp(np.concatenate([[0], (u[1:] + u[:-1]) / 2, [1]])))


def _spread(places: np.ndarray, edges: np.ndarray) -> Sweep:
    cells = [Cell(*map(float, cell)) for cell in zip(places, edges, edges[1:], strict=False)]
    return [cells[i] for i in spread(len(cells))]


def spread(steps: int) -> list[int]:
    """0 … steps − 1 in van der Corput's order, so that any first part covers the whole path evenly."""
    bits = max(1, math.ceil(math.log2(steps))) if steps > 1 else 1
    order = (int(f"{i:0{bits}b}"[::-1], 2) for i in range(1 << bits))
    return [i for i in order if i < steps]
