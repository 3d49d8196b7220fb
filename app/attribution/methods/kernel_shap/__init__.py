"""Kernel SHAP: Shapley values of superpixels, by a regression over random coalitions. Needs no gradient."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ...noise import generator
from ..base import Paper, qualities, register
from ..superpixels import Fit, SuperpixelMethod, SuperpixelParameters, weighted_least_squares


@register
class KernelShap(SuperpixelMethod[SuperpixelParameters]):
    """φ of min Σ_i (S(x_i) − S(b) − φ · z_i)² with Σ_j φ_j = S(x) − S(b); z_i drawn by the Shapley kernel.

    Lundberg, Lee 2017, arXiv:1705.07874. z_i says which superpixels of x are visible in x_i, b is the fill alone. A
    coalition has k of M members with probability ∝ (M − 1) / (k (M − k)), and all of that size are as likely: so the
    kernel is in the draw, and each sample counts the same. That the weights sum to S(x) − S(b) holds exactly; captum
    gives these two samples a weight of 10⁶ instead. In the limit φ are the Shapley values. See `SuperpixelMethod` for
    superpixels, standard error and diagnostics.
    """

    id = "kernel_shap"
    title = "Kernel SHAP"
    year = 2017
    order = 4
    family = "perturbation"
    paper = Paper(
        "A Unified Approach to Interpreting Model Predictions (Lundberg, Lee)", "https://arxiv.org/abs/1705.07874"
    )
    summary = "Shapley values of superpixels: what each adds to the score, averaged over who is there already."
    strengths = (
        "Needs no gradient and no knowledge of the model",
        "The weights of all superpixels sum to the score's difference from the empty picture",
    )
    weaknesses = (
        "Many passes for each superpixel until the noise is small",
        "Depends on how the picture is divided, and on the filling",
        "Asks about pictures with most of their parts hidden, which the model never saw",
    )
    Parameters = SuperpixelParameters
    qualities = qualities("samples", 250, 1000, 4000)

    def draw(self, count: int, superpixels: int, seed: int) -> Iterator[Tensor]:
        sizes = torch.arange(1, superpixels, dtype=torch.float64)
        kernel = 1 / (sizes * (superpixels - sizes))
        for number in range(count):
            draws = generator(seed, number, "coalition")
            visible = torch.zeros(superpixels, dtype=torch.float64)
            if len(sizes):
                size = 1 + int(torch.multinomial(kernel, 1, generator=draws))
                visible[torch.randperm(superpixels, generator=draws)[:size]] = 1
            yield visible

    def fit(self, visible: Tensor, scores: Tensor, ends: Tensor, parameters: SuperpixelParameters) -> Fit:
        change = ends[0] - ends[1]
        # the same share of the change for all, and of the rest the shortest solution of inputs that sum to 0: its
        # values sum to 0 too
        shares = visible.mean(1)
        inputs, outputs = visible - shares[:, None], scores - ends[1] - shares * change
        found, covariance = weighted_least_squares(inputs, outputs, torch.ones(len(visible), dtype=torch.float64))
        errors = None if covariance is None else covariance.diagonal().clamp(min=0).sqrt()
        return change / visible.shape[1] + found, errors
