"""XRAI: integrated gradients summed over segments of the picture, which are ranked by what they add."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypedDict

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...engine import Engine
from ...gradients import finite
from ...shared_gradients import Walk
from ..base import Attribution, Diagnostics, Method, Paper, Parameters, Progress, Steps, qualities, register
from ..baselines import Baseline
from ..integrated_gradients import WARPS, StraightPath, straight, straight_path
from ..paths import completeness, integrate
from ..schedules import midpoint
from .regions import rank_regions
from .segments import segments_of

BASELINES: tuple[Baseline, ...] = ("black", "white")
REPORTED = 10  # regions that the diagnostics list


class Region(TypedDict):
    """A region of the picture, the best ranked first.

    `area` is its share of the picture, `part` what its values sum to, `density` their mean, `box` its smallest box:
    left, top, right, bottom, in pixels.
    """

    area: float
    part: float
    density: float
    box: tuple[int, int, int, int]


class XraiDiagnostics(Diagnostics, total=False):
    regions: list[Region]  # the best of them
    region_count: int


class XraiParameters(Parameters):
    steps: int = Field(50, title="Steps", ge=1, le=1000, description="Gradients along the path from each baseline")
    dilation: int = Field(
        5, title="Dilation", ge=0, le=32, description="By how many pixels each segment is widened, to hold its edges"
    )


@register
class Xrai(Method[XraiParameters]):
    """The mean of A over the region that a pixel belongs to: (1, H, W), in units of S.

    Kapishnikov, Bolukbasi, Viégas, Terry 2019, arXiv:1906.02825. A is the mean of the integrated gradients from a black
    and from a white baseline, summed over the channels. Segments at several scales (Felzenszwalb, Huttenlocher 2004),
    each widened by `dilation`, are taken greedily: always the one in whose pixels not taken yet A has the largest mean.
    These pixels are its region. See `xrai.segments` and `xrai.regions`.

    A region holds the sum of A over it, so the map sums to S(x) − (S(black) + S(white)) / 2. Diagnostics:
    `completeness`; `regions`, the best of them, and `region_count`.
    """

    id = "xrai"
    title = "XRAI"
    year = 2019
    family = "path"
    paper = Paper("XRAI: Better Attributions Through Regions (Kapishnikov et al.)", "https://arxiv.org/abs/1906.02825")
    summary = "Integrated gradients, averaged over regions of the picture, which are ranked."
    strengths = ("Whole regions instead of pixels, in an order", "Two baselines: neither black nor white is left out")
    weaknesses = (
        "Regions are cut by colour, without the model: what spans two colours is two regions",
        "Coarse: a small cause colours all of its region",
    )
    single_channel = True
    additive = True
    Parameters = XraiParameters
    qualities = qualities("steps", 25, 100, 400)

    def cost(self, parameters: XraiParameters, size: tuple[int, int]) -> int:
        return len(BASELINES) * parameters.steps

    def walks(self, parameters: XraiParameters) -> tuple[Walk, ...]:
        points = [cell.point for cell in midpoint(parameters.steps, WARPS["geometric"])]
        return tuple(Walk(straight(kind), points) for kind in BASELINES)

    def attribute(self, engine: Engine, picture: Tensor, parameters: XraiParameters, seed: int) -> Steps:
        paths = [straight_path(picture, kind, seed) for kind in BASELINES]
        ends = torch.stack((picture, *(path.ends[1] for path in paths)))
        score, *at_baselines = finite(engine.scores(ends)).double().tolist()
        attribution = yield from mean_over_baselines(engine, paths, parameters.steps)
        density = attribution.double().cpu().numpy()
        segments = segments_of(picture.double().cpu().permute(1, 2, 0).numpy(), parameters.dilation)
        regions, means = rank_regions(density, segments)
        values = torch.from_numpy(means)[None].to(picture)
        diagnostics: XraiDiagnostics = {
            "gradient_evaluations": len(BASELINES) * parameters.steps,
            "completeness": completeness(score, sum(at_baselines) / len(BASELINES), float(values.double().sum())),
            "regions": [described(region, density) for region in regions[:REPORTED]],
            "region_count": len(regions),
        }
        return Attribution(values, diagnostics)


def mean_over_baselines(engine: Engine, paths: list[StraightPath], steps: int) -> Generator[Progress, None, Tensor]:
    """Integrated gradients, the mean over the paths from their baselines, summed over the channels, (H, W).

    On the way that of the baselines so far.
    """
    picture = paths[0].ends[0]
    total = torch.zeros_like(picture, dtype=torch.float64)
    for number, path in enumerate(paths):
        run = integrate(engine, path, [midpoint(steps, WARPS["geometric"])])
        while True:
            try:
                step = next(run)
            except StopIteration as end:
                one: Attribution = end.value
                break
            assert step.estimate is not None
            estimate = (total + step.estimate) / (number + 1)
            yield Progress(number * steps + step.done, len(paths) * steps, estimate.sum(0)[None].to(picture))
        total += one.values
    return (total / len(paths)).sum(0)


def described(region: np.ndarray, density: np.ndarray) -> Region:
    rows, columns = (np.flatnonzero(region.any(axis)) for axis in (1, 0))
    inside = density[region]
    return {
        "area": float(region.mean()),
        "part": float(inside.sum()),
        "density": float(inside.mean()),
        "box": (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1),
    }
