"""Guided integrated gradients: a path on which the values with the smallest gradients move first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from ...engine import Engine
from ...errors import ComputationFailed, Refused
from ...gradients import finite
from ..base import Attribution, Method, Paper, Parameters, Progress, Steps, qualities, register
from ..baselines import Baseline, make_baseline
from ..paths import completeness

CLOSE = 1e-9  # distances that differ by no more, relative or absolute, are the same


class GuidedIntegratedGradientsParameters(Parameters):
    steps: int = Field(
        200, title="Steps", ge=1, le=2000, description="Steps of the path; each takes one gradient, one after the other"
    )
    fraction: float = Field(
        0.25,
        title="Fraction",
        ge=0.01,
        le=1,
        description="Share of the values that move at a time, those with the smallest gradients",
    )
    max_dist: float = Field(
        0.02,
        title="Largest detour",
        ge=0,
        le=1,
        description="How far a value may run ahead of the straight path or stay behind, as a share of it; "
        "0: integrated gradients",
    )
    baseline: Baseline = Field("black", title="Baseline", description="The picture that stands for «nothing there»")


NOT_FINITE = (
    "Guided integrated gradients goes where the gradient is small, and on its way from the baseline this model's "
    "gradient is not finite. Take another baseline, such as blurred, or integrated gradients."
)


@register
class GuidedIntegratedGradients(Method[GuidedIntegratedGradientsParameters]):
    """Σ_k g(x_k) ⊙ (x_{k+1} − x_k) on a path from the baseline x′ = x_0 to the picture x = x_n, by the gradient.

    Kapishnikov, Venugopalan, Avci, Wedin, Terry, Bolukbasi 2021, arXiv:2106.09788. Each step shortens Σ |x − x_k|, the
    distance that is left, by 1/n of the whole. Of the values that can still move, the `fraction` with the smallest |g|
    moves, then the next, until the step is long enough. None may be farther than `max_dist` from where it would be on
    the straight path, ahead or behind; values that fall behind are brought along. `max_dist` = 0 is the straight path.

    Where the path goes next depends on the gradient where it is, so each pass has one picture. The sum tends to
    S(x) − S(x′) as n grows if the score is smooth. On a network with many kinks it can be off by as much as that
    itself: values are chosen for their small gradients where a step begins, which are larger where it ends.
    Diagnostics: `completeness`. Raises `Refused` where the gradient is not finite on the way: it says where to go next.
    """

    id = "guided_integrated_gradients"
    title = "Guided integrated gradients"
    year = 2021
    family = "path"
    paper = Paper(
        "Guided Integrated Gradients: An Adaptive Path Method for Removing Noise (Kapishnikov et al.)",
        "https://arxiv.org/abs/2106.09788",
    )
    summary = "Integrated gradients on a path that moves the pixel values with the smallest gradients first."
    strengths = (
        "Less noise than the straight path",
        "Goes around pictures at which the gradient is steep for no reason",
    )
    weaknesses = (
        "Its sum can be far off: of values chosen for a small gradient, the gradient grows within the step",
        "One gradient after the other: no two share a pass",
        "Depends on the baseline, and the path on the class: maps of two classes cannot be subtracted",
    )
    additive = True
    Parameters = GuidedIntegratedGradientsParameters
    qualities = qualities("steps", 50, 200, 800)

    def stochastic(self, parameters: GuidedIntegratedGradientsParameters) -> bool:
        return parameters.baseline == "noise"

    def cost(self, parameters: GuidedIntegratedGradientsParameters, size: tuple[int, int]) -> int:
        return parameters.steps

    def attribute(
        self, engine: Engine, picture: Tensor, parameters: GuidedIntegratedGradientsParameters, seed: int
    ) -> Steps:
        baseline = make_baseline(parameters.baseline, picture, seed)
        start, end = finite(engine.scores(torch.stack((picture, baseline)))).double().tolist()
        # in float64: where a value is on its way is compared for equality
        path = GuidedPath(picture.double(), baseline.double(), parameters.fraction, parameters.max_dist)
        at, total = path.start.clone(), torch.zeros_like(path.start)
        for done in range(1, parameters.steps + 1):
            try:
                gradient = engine.gradients(at.to(picture.dtype)[None])[0].double()
            except ComputationFailed as error:
                raise Refused(NOT_FINITE) from error
            before, at = at, path.step(at, gradient.abs(), done / parameters.steps)
            total += gradient * (at - before)
            yield Progress(done, parameters.steps, (total * (parameters.steps / done)).to(picture.dtype))
        values = total.to(picture.dtype)
        record = completeness(start, end, float(values.double().sum()))
        return Attribution(values, {"gradient_evaluations": parameters.steps, "completeness": record})


@dataclass(frozen=True)
class GuidedPath:
    """From `start` to `picture`, both (C, H, W) in float64."""

    picture: Tensor
    start: Tensor
    fraction: float
    max_dist: float

    def straight(self, t: float) -> Tensor:
        """The picture at t of the straight path."""
        return self.start + (self.picture - self.start) * t

    def distance(self, at: Tensor) -> float:
        return float((self.picture - at).abs().sum())

    def step(self, at: Tensor, slopes: Tensor, t: float) -> Tensor:
        """Move on from `at` to where 1 − t of the whole distance is left. `slopes` are |g| there; the smallest move."""
        first, last = max(t - self.max_dist, 0.0), min(t + self.max_dist, 1.0)
        farthest, target = self.straight(last), self.distance(self.start) * (1 - t)
        # 0 / 0 of a value that has nowhere to go is NaN, which is not behind
        behind = (at - self.start) / (self.picture - self.start) < first
        at = torch.where(behind, self.straight(first), at)
        while not math.isclose(left := self.distance(at), target, rel_tol=CLOSE, abs_tol=CLOSE):
            movable = at != farthest
            moving = movable & (slopes <= self.threshold(slopes.where(movable, torch.inf)))
            reach = float((farthest - at).abs()[moving].sum())
            if not reach:
                break  # rounding alone is left
            share = min((left - target) / reach, 1.0)
            moved = farthest if share == 1 else at + (farthest - at) * share
            at = torch.where(moving, moved, at)
            if share < 1:
                break
        return at

    def threshold(self, slopes: Tensor) -> Tensor:
        """The slope that `fraction` of all values do not exceed; those that cannot move have an infinite one."""
        place = math.floor(self.fraction * (slopes.numel() - 1))
        return slopes.flatten().kthvalue(place + 1).values
