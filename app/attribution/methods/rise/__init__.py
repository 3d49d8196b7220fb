"""RISE: which places are visible where the score is high, over random masks. Needs no gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import interpolate

from ...engine import Engine
from ...gradients import finite
from ...noise import generator
from ..base import Attribution, Method, Paper, Parameters, Progress, Steps, qualities, register
from ..baselines import Baseline, make_baseline
from ..running_mean import RunningMean


class RiseParameters(Parameters):
    masks: int = Field(
        4000, title="Masks", ge=1, le=20000, description="Random masks; four times as many halve the noise"
    )
    cells: int = Field(7, title="Cells", ge=1, le=64, description="Cells on each side of a mask's grid")
    probability: float = Field(
        0.5, title="Probability", ge=0.01, le=0.99, description="How often a cell of the grid stays visible"
    )
    fill: Baseline = Field("mean", title="Fill", description="What a masked pixel becomes")


@register
class Rise(Method[RiseParameters]):
    """Σ_k S(x ⊙ M_k + b ⊙ (1 − M_k)) M_k / (N p), over N random masks M_k, (H, W) in [0, 1]: (1, H, W), in units of S.

    Petsiuk, Das, Saenko 2018, arXiv:1806.07421. Each cell of a grid of `cells` × `cells` is 1 with `probability` p,
    else 0. The grid is enlarged bilinearly to (cells + 1) ⌈H / cells⌉ × (cells + 1) ⌈W / cells⌉, and a part of H × W is
    cut out of it at a random offset of less than a cell. The paper rounds H / cells down; where that leaves a remainder
    the part could not be cut out, so it is rounded up, as in the authors' code.

    b is what a masked pixel becomes (`fill`). The paper multiplies the picture by the mask, its code the normalised
    picture: there 0 is the mean colour of the training data. The default is the picture's own mean colour.

    A mask depends on the seed and its number only. Sums are in float64, mask by mask, so that the micro-batch changes
    nothing. Diagnostics: `forward_evaluations`; `standard_error` of the map, relative L2: see `RunningMean`. A constant
    score c does not give a map of zeros but one near c everywhere: only differences between places say something.
    """

    id = "rise"
    title = "RISE"
    year = 2018
    family = "perturbation"
    paper = Paper(
        "RISE: Randomized Input Sampling for Explanation of Black-box Models (Petsiuk, Das, Saenko)",
        "https://arxiv.org/abs/1806.07421",
    )
    summary = "The mean score over random masks under which a place stays visible."
    strengths = ("Needs no gradient and no knowledge of the model", "Masks of many shapes, without a hard edge")
    weaknesses = (
        "Thousands of passes, and still noisy",
        "Only differences between places mean something: the level is that of the score",
    )
    single_channel = True
    differentiates = False
    Parameters = RiseParameters
    qualities = qualities("masks", 1000, 4000, 16000)

    def stochastic(self, parameters: RiseParameters) -> bool:
        return True

    def cost(self, parameters: RiseParameters, size: tuple[int, int]) -> int:
        return parameters.masks

    def attribute(self, engine: Engine, picture: Tensor, parameters: RiseParameters, seed: int) -> Steps:
        height, width = picture.shape[-2:]
        fill = make_baseline(parameters.fill, picture, seed)
        running = RunningMean(torch.zeros((1, height, width), dtype=torch.float64, device=picture.device))
        masks = (engine.to_device(mask) for mask in random_masks(parameters, (height, width), seed))
        for batch in engine.batches(masks):
            visible = torch.stack(batch)
            scores = finite(engine.scores(torch.lerp(fill, picture, visible)))
            for mask, score in zip(visible.double(), scores.double(), strict=True):
                running.add(mask * (score / parameters.probability))
            values = running.mean.to(picture.dtype, copy=True)
            yield Progress(running.count, parameters.masks, values)
        return Attribution(
            values,
            {
                "gradient_evaluations": 0,
                "forward_evaluations": running.count,
                "standard_error": running.standard_error,
            },
        )


def random_masks(parameters: RiseParameters, size: tuple[int, int], seed: int) -> Iterator[Tensor]:
    """The masks one by one, (1, H, W) in [0, 1]; 1 is visible."""
    cells = parameters.cells
    cell = [math.ceil(side / cells) for side in size]
    enlarged = [(cells + 1) * side for side in cell]
    for number in range(parameters.masks):
        draws = generator(seed, number, "mask")
        grid = (torch.rand((1, 1, cells, cells), generator=draws) < parameters.probability).float()
        top, left = (int(torch.randint(side, (), generator=draws)) for side in cell)
        mask = interpolate(grid, enlarged, mode="bilinear", align_corners=False)[0]
        yield mask[:, top : top + size[0], left : left + size[1]]
