"""Integrated gradients: the path that fades the picture in from a baseline."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, model_validator
from torch import Tensor

from ...engine import Engine
from ...shared_gradients import Walk
from ..base import Method, Paper, Steps, register
from ..baselines import Baseline, make_baseline
from ..paths import TOLERANCES, PathParameters, integrate
from ..schedules import Cell, Sweep, gauss_legendre, geometric, power

# the spacing of the points for each rule; 11: the least error in docs/convergence.md
GAUSS_STEPS = {"quick": 31, "good": 121, "exact": 481}
WARPS = {"geometric": geometric(11), "midpoint": power(1)}


class IntegratedGradientsParameters(PathParameters):
    rule: Literal["geometric", "gauss_legendre", "midpoint"] = Field(
        "geometric",
        title="Rule",
        description="Where on the path the gradients are taken; geometric: in steps that grow from the baseline",
    )
    baseline: Baseline = Field("black", title="Baseline", description="The picture that stands for «nothing there»")

    @model_validator(mode="after")
    def _tolerance_needs_nested_steps(self) -> IntegratedGradientsParameters:
        if self.tolerance and self.rule == "gauss_legendre":
            raise ValueError(
                "a tolerance needs rule = geometric or midpoint: Gauss-Legendre has other points for more steps"
            )
        return self


@dataclass(frozen=True)
class StraightPath:
    """x′ + t (x − x′); `ends` are (x, x′)."""

    ends: tuple[Tensor, Tensor]
    name: Hashable | None = None

    @cached_property
    def difference(self) -> Tensor:
        return self.ends[0] - self.ends[1]

    def at(self, t: float) -> Tensor:
        return self.ends[1] + t * self.difference

    def increment(self, cell: Cell) -> Tensor:
        return (cell.end - cell.start) * self.difference

    def fraction(self, cell: Cell, cells: int) -> float:
        return cell.end - cell.start


def straight(baseline: Baseline) -> Hashable:
    """The name of the straight path from a baseline."""
    return "straight", baseline


def straight_path(picture: Tensor, baseline: Baseline, seed: int) -> StraightPath:
    """The straight path from a baseline to the picture, with its name."""
    return StraightPath((picture, make_baseline(baseline, picture, seed)), straight(baseline))


@register
class IntegratedGradients(Method[IntegratedGradientsParameters]):
    """(x − x′) ∫₀¹ g(x′ + α(x − x′)) dα; sums to S(x) − S(x′).

    Sundararajan, Taly, Yan 2017, arXiv:1703.01365. Rules: α = (11ᵘ − 1)/10 or u with u at the middles of equal cells
    (geometric, midpoint), or Gauss-Legendre. Diagnostics: `completeness`; with a tolerance `converged` and `change`.
    """

    id = "integrated_gradients"
    title = "Integrated gradients"
    year = 2017
    order = 1
    family = "path"
    paper = Paper(
        "Axiomatic Attribution for Deep Networks (Sundararajan, Taly, Yan)", "https://arxiv.org/abs/1703.01365"
    )
    summary = "The score's change from a baseline to the picture, distributed over the pixels."
    strengths = ("Complete: the map sums to the change of the score", "Sees what the gradient misses by saturation")
    weaknesses = (
        "Depends on the baseline: what is black in the picture gets nothing with a black one",
        "Gathers gradients at faded pictures that nobody ever sees",
    )
    default = True
    additive = True
    Parameters = IntegratedGradientsParameters
    qualities = TOLERANCES

    def at_quality(self, quality: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Gauss-Legendre has no tolerance, but about as many steps as it takes."""
        if given.get("rule") == "gauss_legendre":
            return {"steps": GAUSS_STEPS[quality], **given}
        return super().at_quality(quality, given)

    def stochastic(self, parameters: IntegratedGradientsParameters) -> bool:
        return parameters.baseline == "noise"

    def cost(self, parameters: IntegratedGradientsParameters, size: tuple[int, int]) -> int:
        return sum(map(len, sweeps(parameters)))

    def walks(self, parameters: IntegratedGradientsParameters) -> tuple[Walk, ...]:
        points = [cell.point for sweep in sweeps(parameters) for cell in sweep]
        return (Walk(straight(parameters.baseline), points),)

    def attribute(self, engine: Engine, picture: Tensor, parameters: IntegratedGradientsParameters, seed: int) -> Steps:
        path = straight_path(picture, parameters.baseline, seed)
        return (yield from integrate(engine, path, sweeps(parameters), parameters.tolerance))


def sweeps(parameters: IntegratedGradientsParameters) -> list[Sweep]:
    """The cells in one sweep of the path, or, with a tolerance, in several that can be stopped between."""
    if parameters.rule == "gauss_legendre":
        return [gauss_legendre(parameters.steps)]
    return parameters.sweeps(WARPS[parameters.rule])
