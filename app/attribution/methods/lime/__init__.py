"""LIME: a linear model of the score in which superpixels are visible, fitted near the picture. Needs no gradient."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pydantic import Field
from torch import Tensor

from ...noise import generator
from ..base import Paper, qualities, register
from ..superpixels import Fit, SuperpixelMethod, SuperpixelParameters, weighted_least_squares


class LimeParameters(SuperpixelParameters):
    kernel_width: float = Field(
        0.25, title="Kernel width", gt=0, le=100, description="How far from the picture samples still count"
    )
    ridge: float = Field(
        1, title="Ridge", ge=0, le=10**6, description="How strongly weights are drawn towards 0; 0: not at all"
    )


@register
class Lime(SuperpixelMethod[LimeParameters]):
    """b of min Σ_i π_i (S(x_i) − a − b · z_i)² + ridge ‖b‖², π_i = exp(−D(z_i, 1)² / width²), D the cosine distance.

    Ribeiro, Singh, Guestrin 2016, arXiv:1602.04938. z_i says which superpixels are visible in x_i, each with
    probability ½; the first sample is the picture itself. D = 1 − √(share of visible superpixels). The penalty is that
    of the lime package (ridge = 1); the paper chooses a few superpixels by a lasso path instead. See `SuperpixelMethod`
    for superpixels, standard error and diagnostics.
    """

    id = "lime"
    title = "LIME"
    year = 2016
    order = 2
    family = "perturbation"
    paper = Paper(
        "“Why Should I Trust You?” Explaining the Predictions of Any Classifier (Ribeiro, Singh, Guestrin)",
        "https://arxiv.org/abs/1602.04938",
    )
    summary = "A linear model of the score in which superpixels are visible, fitted near the picture."
    strengths = ("Needs no gradient and no knowledge of the model", "Regions that follow the picture's own edges")
    weaknesses = (
        "Depends on how the picture is divided, on the kernel's width and on the filling",
        "Random: another seed gives another map, by as much as its standard error says",
        "What superpixels do together is not in a linear model",
    )
    Parameters = LimeParameters
    qualities = qualities("samples", 250, 1000, 4000)

    def draw(self, count: int, superpixels: int, seed: int) -> Iterator[Tensor]:
        for number in range(count):
            draws = torch.rand(superpixels, generator=generator(seed, number, "superpixels"))
            yield (draws < 0.5).double() if number else torch.ones(superpixels, dtype=torch.float64)

    def fit(self, visible: Tensor, scores: Tensor, ends: Tensor, parameters: LimeParameters) -> Fit:
        weights = nearness(visible, parameters.kernel_width)
        inputs = torch.cat((visible, torch.ones((len(visible), 1), dtype=torch.float64)), 1)
        ridge = torch.full((inputs.shape[1],), parameters.ridge, dtype=torch.float64)
        ridge[-1] = 0  # the intercept is not drawn anywhere
        found, covariance = weighted_least_squares(inputs, scores, weights, ridge)
        return found[:-1], None if covariance is None else covariance.diagonal()[:-1].clamp(min=0).sqrt()


def nearness(visible: Tensor, width: float) -> Tensor:
    """π of samples z (n, M): exp(−D² / width²), D = 1 − cos(z, 1)."""
    distance = 1 - visible.mean(1).sqrt()
    return torch.exp(-((distance / width) ** 2))
