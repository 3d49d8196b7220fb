"""Occlusion: how far the score falls when a square of the picture is covered. Needs no gradient."""

from __future__ import annotations

import math

from pydantic import Field, model_validator
from torch import Tensor

from ...engine import Engine
from ...gradients import finite
from ...threaded_generator import Pause, interleave
from ..base import Attribution, Method, Paper, Parameters, Progress, Steps, register
from ..baselines import Baseline, make_baseline


class OcclusionParameters(Parameters):
    window: int = Field(32, title="Window", ge=1, le=512, description="Side of the square that is covered, in pixels")
    stride: int = Field(
        16, title="Stride", ge=1, le=512, description="Distance in pixels between two positions of the square"
    )
    fill: Baseline = Field("mean", title="Fill", description="What the square is covered with")

    @model_validator(mode="after")
    def _no_gaps(self) -> OcclusionParameters:
        if self.stride > self.window:
            raise ValueError("stride must not exceed window, or pixels between the squares are never covered")
        return self


@register
class Occlusion(Method[OcclusionParameters]):
    """S(x) − S(x with a square covered), averaged over the squares that cover a pixel: (1, H, W), in units of S.

    Zeiler, Fergus 2013, arXiv:1311.2901. Computed by captum.
    Diagnostics: `forward_evaluations`.
    """

    id = "occlusion"
    title = "Occlusion"
    year = 2013
    order = -2
    family = "perturbation"
    paper = Paper(
        "Visualizing and Understanding Convolutional Networks (Zeiler, Fergus)", "https://arxiv.org/abs/1311.2901"
    )
    summary = "How far the score falls when a square of the picture is covered."
    strengths = ("Needs no gradient and no knowledge of the model", "Its values are differences of the score")
    weaknesses = (
        "As coarse as its square, and slow where that is small",
        "Depends on the filling, and asks about pictures with holes",
    )
    single_channel = True
    differentiates = False
    additive = True
    Parameters = OcclusionParameters

    def stochastic(self, parameters: OcclusionParameters) -> bool:
        return parameters.fill == "noise"

    def cost(self, parameters: OcclusionParameters, size: tuple[int, int]) -> int:
        window = min(parameters.window, *size)
        positions = (1 + math.ceil((side - window) / parameters.stride) for side in size)
        return math.prod(positions) + 1  # one more: the picture itself

    def attribute(self, engine: Engine, picture: Tensor, parameters: OcclusionParameters, seed: int) -> Steps:
        total, done = self.cost(parameters, (picture.shape[-2], picture.shape[-1])), 0
        channels, window = len(picture), min(parameters.window, *picture.shape[-2:])
        fill = make_baseline(parameters.fill, picture, seed)[None]

        def compute(pause: Pause) -> Tensor:
            from captum.attr import Occlusion as CaptumOcclusion  # here: see deep_lift

            def score(pictures: Tensor) -> Tensor:
                nonlocal done
                scores = engine.scores(pictures)
                done += len(pictures)
                pause()
                return scores

            attribution: Tensor = CaptumOcclusion(score).attribute(
                picture[None],
                sliding_window_shapes=(channels, window, window),
                strides=(channels, parameters.stride, parameters.stride),
                baselines=fill,
                perturbations_per_eval=engine.micro_batch,
            )
            return attribution[0, :1]  # the square covers all channels at once, so they all have the same values

        result = yield from interleave(compute, lambda: Progress(done, total))
        values = finite(result.to(picture.dtype))
        return Attribution(values.contiguous(), {"gradient_evaluations": 0, "forward_evaluations": done})
