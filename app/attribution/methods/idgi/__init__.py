"""IDGI: along a path, each step's change of the score, distributed by the squared gradient."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ...engine import Engine
from ...gradients import finite
from ...shared_gradients import Walk
from ..base import Attribution, Method, Paper, Parameters, Progress, Steps, qualities, register
from ..baselines import Baseline
from ..blur_integrated_gradients import HALF_SIGMA, DeblurPath, deblurring
from ..integrated_gradients import WARPS, straight, straight_path
from ..paths import Path, completeness
from ..schedules import Sweep, hyperbolic, midpoint


class IdgiParameters(Parameters):
    path: Literal["straight", "blur"] = Field(
        "straight",
        title="Path",
        description="straight: fades in from the baseline, as integrated gradients; blur: from a blurred picture",
    )
    steps: int = Field(50, title="Steps", ge=1, le=2000, description="Steps of the path; each takes one gradient")
    baseline: Baseline = Field(
        "black", title="Baseline", description="The picture that stands for «nothing there», on the straight path"
    )
    max_sigma: float = Field(
        50, title="Largest blur", gt=0, le=500, description="Standard deviation in pixels where the blur path starts"
    )


@register
class Idgi(Method[IdgiParameters]):
    """Σ_j g_j² ΔS_j / Σ g_j², over the steps j of a path; ΔS_j is the score's change over a step. In units of S.

    Yang, Wang, Bilgic 2023, arXiv:2303.14242. g_j = g(x_j), squared value by value, and the inner sum is over all
    values of the picture: so a step distributes exactly what the score changes by, and the map sums to S(x) − S(x′),
    with any number of steps. Only a step whose gradient is 0 everywhere is left out; its change is then missing.

    Paths and points are those of integrated gradients (geometric) and blur integrated gradients (hyperbolic): x_j is in
    the middle of its step. The paper takes the step's first picture, which on the first step is the baseline itself.
    Diagnostics: `completeness`; `forward_evaluations`, the scores between the steps.
    """

    id = "idgi"
    title = "IDGI"
    year = 2023
    family = "path"
    paper = Paper(
        "IDGI: A Framework to Eliminate Explanation Noise from Integrated Gradients (Yang, Wang, Bilgic)",
        "https://arxiv.org/abs/2303.14242",
    )
    summary = "The score's change at each step of a path, distributed by the squared gradient."
    strengths = ("Complete with any number of steps", "Less noise than integrated gradients on the same path")
    weaknesses = (
        "Within a step all values have the same sign: what speaks against the class is not told apart",
        "Costs a forward pass a step on top of the gradient",
    )
    additive = True
    Parameters = IdgiParameters
    qualities = qualities("steps", 25, 100, 400)

    def stochastic(self, parameters: IdgiParameters) -> bool:
        return parameters.path == "straight" and parameters.baseline == "noise"

    def cost(self, parameters: IdgiParameters, size: tuple[int, int]) -> int:
        return 2 * parameters.steps + 1  # a gradient for each step, and the scores where they begin and end

    def walks(self, parameters: IdgiParameters) -> tuple[Walk, ...]:
        blurs = parameters.path == "blur"
        path = deblurring(parameters.max_sigma) if blurs else straight(parameters.baseline)
        return (Walk(path, [cell.point for cell in sweep_of(parameters)]),)

    def attribute(self, engine: Engine, picture: Tensor, parameters: IdgiParameters, seed: int) -> Steps:
        if parameters.path == "blur":
            blur = DeblurPath(picture, parameters.max_sigma)
            return (yield from distribute(engine, blur, sweep_of(parameters), sharp_at=0))
        path = straight_path(picture, parameters.baseline, seed)
        return (yield from distribute(engine, path, sweep_of(parameters), sharp_at=1))


def sweep_of(parameters: IdgiParameters) -> Sweep:
    """The steps: those of the integrated gradients with their default rule or schedule on the same path."""
    blurs = parameters.path == "blur"
    warp = hyperbolic(HALF_SIGMA / parameters.max_sigma) if blurs else WARPS["geometric"]
    return midpoint(parameters.steps, warp)


def distribute(engine: Engine, path: Path, sweep: Sweep, sharp_at: Literal[0, 1]) -> Steps:
    """Σ over the cells of a sweep of g² ΔS / Σ g², g at the cell's point, ΔS over the cell towards the picture.

    `sharp_at` is the t of the path where the picture is. On the way, the map of the cells done, scaled to the path.
    """
    edges = sorted({t for cell in sweep for t in (cell.start, cell.end)})
    # the picture's end and the other, by what the schedule rounds 0 and 1 to; there the pictures are exactly the ends
    sharp, other = (edges[-1], edges[0]) if sharp_at else (edges[0], edges[-1])
    ends = dict(zip((sharp, other), path.ends, strict=True))
    total, done = len(edges) + len(sweep), 0
    scores: dict[float, float] = {}
    towards, share = 2 * sharp_at - 1, 0.0
    summed = torch.zeros_like(path.ends[0], dtype=torch.float64)
    for batch in engine.batches(sweep):
        # scores are taken when they are needed, so that gradients come as early as those of other maps on this path
        unknown = sorted({t for cell in batch for t in (cell.start, cell.end)} - scores.keys())
        for places in engine.batches(unknown):
            pictures = torch.stack([ends[t] if t in ends else path.at(t) for t in places])
            scores |= dict(zip(places, finite(engine.scores(pictures)).double().tolist(), strict=True))
            done += len(places)
            yield Progress(done, total)
        squares = engine.gradients_along(path, [cell.point for cell in batch]).double().square()
        for square, cell in zip(squares, batch, strict=True):
            size = float(square.sum())
            if size:
                summed += square * (towards * (scores[cell.end] - scores[cell.start]) / size)
            share += path.fraction(cell, len(sweep))
        done += len(batch)
        yield Progress(done, total, (summed / share).to(path.ends[0].dtype))
    values = summed.to(path.ends[0].dtype)
    record = completeness(scores[sharp], scores[other], float(values.double().sum()))
    return Attribution(
        values,
        {"gradient_evaluations": len(sweep), "forward_evaluations": len(edges), "completeness": record},
    )
