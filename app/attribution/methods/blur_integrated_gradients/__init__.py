"""Blur integrated gradients: integrates along a path from a blurred picture to the sharp one."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property
from typing import Literal

from pydantic import Field
from torch import Tensor

from ...engine import Engine
from ...shared_gradients import Walk
from ..base import Method, Paper, Steps, register
from ..blur import blur
from ..paths import TOLERANCES, PathParameters, integrate
from ..schedules import Cell, Sweep, Warp, hyperbolic, power

HALF_SIGMA = 9.0  # pixels of blur, `half` of `schedules.hyperbolic`; 9 had the smallest error in docs/convergence.md

# limits of `DeblurPath`'s cache: enough for the default number of steps; with more steps it does not grow
MAX_EDGES, MAX_EDGES_BYTES = 64, 48 * 2**20


class BlurIntegratedGradientsParameters(PathParameters):
    max_sigma: float = Field(
        50, title="Largest blur", gt=0, le=500, description="Standard deviation in pixels at the path's blurred end"
    )
    schedule: Literal["hyperbolic", "quadratic", "linear"] = Field(
        "hyperbolic",
        title="Schedule",
        description="At which blur they are taken; hyperbolic: mostly at a blur of some pixels; quadratic: more "
        "where nearly sharp",
    )


class DeblurPath:
    """L(t·σmax): the picture blurred by a Gaussian of standard deviation t·σmax; sharp at t = 0.

    Neighbouring cells share an edge. The blurred picture at that edge is cached until the second cell has used it,
    within the limits `MAX_EDGES` and `MAX_EDGES_BYTES`.
    """

    def __init__(self, picture: Tensor, max_sigma: float) -> None:
        self.picture, self.max_sigma, self.name = picture, max_sigma, deblurring(max_sigma)
        self._edges: dict[float, Tensor] = {}
        self._max_edges = min(MAX_EDGES, MAX_EDGES_BYTES // picture.nbytes)

    @cached_property
    def ends(self) -> tuple[Tensor, Tensor]:
        return self.picture, self.at(1)

    def at(self, t: float) -> Tensor:
        return blur(self.picture, self.max_sigma * t)

    def increment(self, cell: Cell) -> Tensor:
        return self._edge(cell.start) - self._edge(cell.end)

    def _edge(self, t: float) -> Tensor:
        edge = self._edges.pop(t, None)
        if edge is None:
            edge = self.at(t)
            if len(self._edges) < self._max_edges:
                self._edges[t] = edge
        return edge

    def fraction(self, cell: Cell, cells: int) -> float:
        return 1 / cells


def deblurring(max_sigma: float) -> Hashable:
    """The name of the path from a picture blurred so far."""
    return "blur", max_sigma


@register
class BlurIntegratedGradients(Method[BlurIntegratedGradientsParameters]):
    """−∫₀^σmax g(L(σ)) ⊙ ∂L/∂σ dσ, with L(σ) the picture blurred by a Gaussian of standard deviation σ.

    Computed as Σ g(L(σᵢ)) ⊙ (L(aᵢ₋₁) − L(aᵢ)) over cells [aᵢ₋₁, aᵢ] of [0, σmax] of equal width in u, with σᵢ at the
    middle of its cell in u: u ∝ σ/(σ + 9 pixels) (hyperbolic), or σ = σmax·uᵖ (p = 2 quadratic, 1 linear). Sums to
    S(x) − S(L(σmax)), exactly for a linear S. Xu, Venugopalan, Sundararajan 2020, arXiv:2004.03383. Diagnostics:
    `completeness`; with a tolerance `converged` and `change`.
    """

    id = "blur_integrated_gradients"
    title = "Blur integrated gradients"
    year = 2020
    family = "path"
    paper = Paper("Attribution in Scale and Space (Xu, Venugopalan, Sundararajan)", "https://arxiv.org/abs/2004.03383")
    summary = "The score's change from a fully blurred picture to the sharp one, distributed over the pixels."
    strengths = (
        "Complete, and without a baseline colour to choose",
        "No artificial structure on the way: blur adds none",
    )
    weaknesses = (
        "Costs one gradient a step, and needs more steps than integrated gradients for the same error",
        "Blur darkens towards the border (zero padding), which the map then explains too",
    )
    default = True
    additive = True
    Parameters = BlurIntegratedGradientsParameters
    qualities = TOLERANCES

    def cost(self, parameters: BlurIntegratedGradientsParameters, size: tuple[int, int]) -> int:
        return sum(map(len, sweeps(parameters)))

    def walks(self, parameters: BlurIntegratedGradientsParameters) -> tuple[Walk, ...]:
        points = [cell.point for sweep in sweeps(parameters) for cell in sweep]
        return (Walk(deblurring(parameters.max_sigma), points),)

    def attribute(
        self, engine: Engine, picture: Tensor, parameters: BlurIntegratedGradientsParameters, seed: int
    ) -> Steps:
        path = DeblurPath(picture, parameters.max_sigma)
        return (yield from integrate(engine, path, sweeps(parameters), parameters.tolerance))


def sweeps(parameters: BlurIntegratedGradientsParameters) -> list[Sweep]:
    warps: dict[str, Warp] = {
        "hyperbolic": hyperbolic(HALF_SIGMA / parameters.max_sigma),
        "quadratic": power(2),
        "linear": power(1),
    }
    return parameters.sweeps(warps[parameters.schedule])
