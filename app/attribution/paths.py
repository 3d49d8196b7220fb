"""Path methods: gradients gathered along a path of pictures; one integrator for all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from .base import Attribution, Method, Paper, Parameters, Progress, Steps, register
from .baselines import Baseline, make_baseline
from .blur import blur
from .engine import Engine, finite


@dataclass(frozen=True)
class Cell:
    """A piece of a path: the gradient is taken at `point` and multiplied by `increment`, both (C, H, W).

    `weight` is the cell's share of the path; all cells' weights add up to 1.
    """

    point: Tensor
    increment: Tensor
    weight: float


def integrate(engine: Engine, cells: Iterator[Cell], steps: int, ends: tuple[Tensor, Tensor]) -> Steps:
    """Σ g(point) ⊙ increment over the cells of a path between `ends` = (picture, baseline), with its completeness.

    The cells may come in any order; the estimate so far is the sum over those done, scaled by their weight.
    """
    total = torch.zeros_like(ends[0], dtype=torch.float64)
    done, weight = 0, 0.0
    for batch in engine.batches(cells):
        gradients = engine.gradients(torch.stack([cell.point for cell in batch]))
        for gradient, cell in zip(gradients, batch, strict=True):
            total += gradient.double() * cell.increment.double()
            weight += cell.weight
        done += len(batch)
        yield Progress(done, steps, (total / weight).to(ends[0].dtype))
    values = total.to(ends[0].dtype)
    start, end = finite(engine.scores(torch.stack(ends))).double().tolist()
    return Attribution(
        values, {"gradient_evaluations": done, "completeness": completeness(start, end, float(values.double().sum()))}
    )


def completeness(score: float, baseline_score: float, attributed: float) -> dict[str, Any]:
    """What a path's map should sum to, S(x) − S(x′), what it does sum to, and the signed relative error.

    The error is null, with a reason, where the expected sum is below 1 % of the scores: there is nothing to share out.
    """
    expected = score - baseline_score
    record: dict[str, Any] = {"expected": expected, "attributed": attributed, "relative_error": None}
    if abs(expected) < 0.01 * max(abs(score), abs(baseline_score)) or expected == 0:
        record["reason"] = "picture and baseline have nearly the same score: there is next to nothing to attribute"
    else:
        record["relative_error"] = (attributed - expected) / abs(expected)
    return record


def spread(steps: int) -> list[int]:
    """0 … steps − 1 in van der Corput's order, so that any first part covers the whole path evenly."""
    bits = max(1, math.ceil(math.log2(steps))) if steps > 1 else 1
    order = (int(f"{i:0{bits}b}"[::-1], 2) for i in range(1 << bits))
    return [i for i in order if i < steps]


Rule = Literal["gauss_legendre", "midpoint"]


@lru_cache(maxsize=32)
def quadrature(rule: Rule, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes α in (0, 1) and weights that add up to 1."""
    if rule == "midpoint":
        return (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2


class IntegratedGradientsParameters(Parameters):
    steps: int = Field(50, title="Steps", ge=1, le=2000, description="Gradients along the path; more are more exact")
    rule: Rule = Field("gauss_legendre", title="Rule", description="Where on the path they are taken")
    baseline: Baseline = Field("black", title="Baseline", description="The picture that stands for «nothing there»")


@register
class IntegratedGradients(Method[IntegratedGradientsParameters]):
    """(x − x′) ∫₀¹ g(x′ + α(x − x′)) dα; sums to S(x) − S(x′).

    Sundararajan, Taly, Yan 2017, arXiv:1703.01365. Diagnostics: `completeness`.
    """

    id = "integrated_gradients"
    title = "Integrated gradients"
    year = 2017
    order = 1
    paper = Paper(
        "Axiomatic Attribution for Deep Networks (Sundararajan, Taly, Yan)", "https://arxiv.org/abs/1703.01365"
    )
    summary = "The score's change from a baseline to the picture, shared out over the pixels."
    strengths = ("Complete: the map sums to the change of the score", "Sees what the gradient misses by saturation")
    weaknesses = (
        "Depends on the baseline: what is black in the picture gets nothing with a black one",
        "Gathers gradients at faded pictures that nobody ever sees",
    )
    Parameters = IntegratedGradientsParameters

    def seeded(self, parameters: IntegratedGradientsParameters) -> bool:
        return parameters.baseline == "noise"

    def cost(self, parameters: IntegratedGradientsParameters, size: tuple[int, int]) -> int:
        return parameters.steps

    def attribute(self, engine: Engine, picture: Tensor, parameters: IntegratedGradientsParameters, seed: int) -> Steps:
        baseline = make_baseline(parameters.baseline, picture, seed)
        alphas, weights = quadrature(parameters.rule, parameters.steps)
        change = picture - baseline
        cells = (
            Cell(baseline + float(alphas[i]) * change, float(weights[i]) * change, float(weights[i]))
            for i in spread(parameters.steps)
        )
        return (yield from integrate(engine, cells, parameters.steps, (picture, baseline)))


class BlurIntegratedGradientsParameters(Parameters):
    steps: int = Field(50, title="Steps", ge=1, le=2000, description="Gradients along the path; more are more exact")
    max_sigma: float = Field(
        50, title="Largest blur", gt=0, le=500, description="Standard deviation in pixels at the path's blurred end"
    )
    schedule: Literal["quadratic", "linear"] = Field(
        "quadratic", title="Schedule", description="quadratic: more steps where the picture is still sharp"
    )


@register
class BlurIntegratedGradients(Method[BlurIntegratedGradientsParameters]):
    """−∫₀^σmax g(L(σ)) ⊙ ∂L/∂σ dσ, with L(σ) the picture blurred by a Gaussian of standard deviation σ.

    Computed as Σ g(L(σᵢ)) ⊙ (L(aᵢ₋₁) − L(aᵢ)) over cells [aᵢ₋₁, aᵢ] of [0, σmax], σ = σmax·uᵖ with u uniform and
    σᵢ at the middle of u's cell (p = 2 quadratic, 1 linear); sums to S(x) − S(L(σmax)), exactly for a linear S.
    Xu, Venugopalan, Sundararajan 2020, arXiv:2004.03383. Diagnostics: `completeness`.
    """

    id = "blur_integrated_gradients"
    title = "Blur integrated gradients"
    year = 2020
    paper = Paper("Attribution in Scale and Space (Xu, Venugopalan, Sundararajan)", "https://arxiv.org/abs/2004.03383")
    summary = "The score's change from a fully blurred picture to the sharp one, shared out over the pixels."
    strengths = (
        "Complete, and without a baseline colour to choose",
        "No artificial structure on the way: blur adds none",
    )
    weaknesses = (
        "Costs one gradient a step, and needs more steps than integrated gradients for the same error",
        "Blur darkens towards the border (zero padding), which the map then explains too",
    )
    Parameters = BlurIntegratedGradientsParameters

    def cost(self, parameters: BlurIntegratedGradientsParameters, size: tuple[int, int]) -> int:
        return parameters.steps

    def attribute(
        self, engine: Engine, picture: Tensor, parameters: BlurIntegratedGradientsParameters, seed: int
    ) -> Steps:
        steps, power = parameters.steps, 2 if parameters.schedule == "quadratic" else 1

        def at(u: float) -> Tensor:
            return blur(picture, parameters.max_sigma * u**power)

        cells = (Cell(at((i + 0.5) / steps), at(i / steps) - at((i + 1) / steps), 1 / steps) for i in spread(steps))
        return (yield from integrate(engine, cells, steps, (picture, at(1.0))))
