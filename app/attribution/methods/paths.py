"""Path methods: gradients gathered along a path of pictures; one integrator for all of them."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Protocol

import torch
from pydantic import Field
from torch import Tensor

from ..engine import Engine
from ..gradients import finite
from .base import Attribution, CompletenessError, Diagnostics, Parameters, Progress, Steps
from .schedules import Cell, Sweep, Warp, doubling, midpoint

# for each quality, with at most so many steps: docs/convergence.md
TOLERANCES = {
    "quick": {"tolerance": 0.3, "steps": 121},
    "good": {"tolerance": 0.1, "steps": 481},
    "exact": {"tolerance": 0.03, "steps": 1921},
}


class PathParameters(Parameters):
    steps: int = Field(50, title="Steps", ge=1, le=2000, description="Gradients along the path; more are more exact")
    tolerance: float = Field(
        0.0,
        title="Tolerance",
        ge=0,
        le=1,
        description="Stop early, when doubling the gradients changes the map, and its sum is off, by no more than "
        "this; 0: never",
    )

    def sweeps(self, warp: Warp) -> list[Sweep]:
        """All cells in one, or in several to stop between."""
        return doubling(self.steps, warp) if self.tolerance else [midpoint(self.steps, warp)]


class Path(Protocol):
    """Pictures between two `ends` = (the picture, where nothing is left of it), by t in [0, 1]."""

    @property
    def name(self) -> Hashable | None:
        """As a `NamedPath`'s."""

    @property
    def ends(self) -> tuple[Tensor, Tensor]: ...

    def at(self, t: float) -> Tensor:
        """The picture at t, (C, H, W)."""

    def increment(self, cell: Cell) -> Tensor:
        """The change over a cell towards the picture, (C, H, W); over all cells it adds up to the whole path's."""

    def fraction(self, cell: Cell, cells: int) -> float:
        """The fraction of the path that a cell stands for, of `cells` in all; the fractions add up to 1."""


def integrate(engine: Engine, path: Path, sweeps: list[Sweep], tolerance: float = 0) -> Steps:
    """Σ g(at the cell's point) ⊙ increment over the cell, with its completeness.

    Each sweep covers the whole path, with its cells in any order; the map is the mean of the sweeps, weighted by their
    gradients, and on the way that of the cells done, scaled to the whole path. With a `tolerance` the sweeps end once
    one changes the map by no more than that (relative L2), and completeness is off by no more where it can be measured.

    Without one, the map's error is estimated from its own gradients: E is the map of every other cell along the path, O
    that of the others, each scaled to the whole path, so the map is about (E + O) / 2 and `error_estimate` is
    ‖E − O‖ / 2 ‖map‖. Errors of neighbouring gradients that have nothing to do with each other, as of a network with
    many kinks, add up to this size. Where the gradients change smoothly it is too large by far, never too small.
    """
    picture = path.ends[0]
    start, end = finite(engine.scores(torch.stack(path.ends))).double().tolist()
    steps = sum(map(len, sweeps))
    mean, done, change, converged = torch.zeros_like(picture, dtype=torch.float64), 0, None, False
    halves: Halves | None = None
    for sweep in sweeps:
        total, share, count = torch.zeros_like(mean), 0.0, 0
        halves = None if tolerance or len(sweep) < 2 else Halves(sweep, mean)
        for batch in engine.batches(sweep):
            gradients = engine.gradients_along(path, [cell.point for cell in batch])
            for gradient, cell in zip(gradients, batch, strict=True):
                part = gradient * path.increment(cell)
                total += part  # the sum is in float64
                share += path.fraction(cell, len(sweep))
                if halves:
                    halves.add(cell, part, path.fraction(cell, len(sweep)))
            count += len(batch)
            estimate = mean + (total / share - mean) * (count / (done + count))
            yield Progress(done + count, steps, estimate.to(picture.dtype))
        if done:
            change = relative_change(mean, estimate)
        mean, done = estimate, done + count
        values = mean.to(picture.dtype)
        record = completeness(start, end, float(values.double().sum()))
        if tolerance and change is not None and max(change, abs(record["relative_error"] or 0)) <= tolerance:
            converged = True
            break
    diagnostics: Diagnostics = {"gradient_evaluations": done, "completeness": record}
    if tolerance:
        diagnostics |= {"converged": converged, "change": change}
    elif halves:
        diagnostics["error_estimate"] = halves.error_estimate(mean)
        if record["relative_error"] is not None:
            record["half_error"] = halves.sum_error(record["expected"])
    return Attribution(values, diagnostics)


class Halves:
    """Two maps, (C, H, W) each, of every other cell of a sweep, for what they tell of the error of the whole."""

    def __init__(self, sweep: Sweep, like: Tensor) -> None:
        along = sorted(cell.point for cell in sweep)
        self._half = {place: number % 2 for number, place in enumerate(along)}
        self._totals, self._shares = torch.zeros((2, *like.shape), dtype=torch.float64, device=like.device), [0.0, 0.0]

    def add(self, cell: Cell, part: Tensor, share: float) -> None:
        """Add a cell's part of the map, which stands for this share of the path."""
        half = self._half[cell.point]
        self._totals[half] += part
        self._shares[half] += share

    @property
    def maps(self) -> tuple[Tensor, Tensor]:
        """The maps of both halves, each scaled to the whole path."""
        one, other = (total / share for total, share in zip(self._totals, self._shares, strict=True))
        return one, other

    def error_estimate(self, mean: Tensor) -> float | None:
        """Half the distance of the two, relative to the map of all cells; None of a map of zeros."""
        one, other = self.maps
        size = float(mean.norm())
        return float((one - other).norm()) / 2 / size if size else None

    def sum_error(self, expected: float) -> float:
        """Root mean square of the relative errors of both sums."""
        return math.hypot(*(float(half.sum()) - expected for half in self.maps)) / math.sqrt(2) / abs(expected)


def relative_change(before: Tensor, after: Tensor) -> float:
    """‖after − before‖ / ‖after‖; for a map of zeros 0 where it was that before, else 1."""
    change, norm = float((after - before).norm()), float(after.norm())
    return change / norm if norm else float(change > 0)


def completeness(score: float, baseline_score: float, attributed: float) -> CompletenessError:
    """What a path's map should sum to, S(x) − S(x′), what it does sum to, and the signed relative error.

    The error is null, with a reason, where the expected sum is below 1 % of the scores: there is nothing to share out.
    """
    expected = score - baseline_score
    record: CompletenessError = {"expected": expected, "attributed": attributed, "relative_error": None}
    if abs(expected) < 0.01 * max(abs(score), abs(baseline_score)) or expected == 0:
        record["reason"] = "picture and baseline have nearly the same score: there is next to nothing to attribute"
    else:
        record["relative_error"] = (attributed - expected) / abs(expected)
    return record
