"""XGrad-CAM: a channel's weight is its gradient, averaged where the channel is active."""

from __future__ import annotations

import torch
from torch import Tensor

from ..base import Paper, register
from ..cams import CamMethod, weighted


@register
class XGradCam(CamMethod):
    """ReLU(Σ_k w_k A_k), w_k = Σ_ij A_k G_k / Σ_ij A_k, 0 where that sum is 0.

    A is the feature map (K, h, w) of `layer`, G = ∂S/∂A. Fu et al. 2020, arXiv:2008.02312. Where A has both signs the
    sum in the denominator may be small, and the weight large. Diagnostics: `layer`.
    """

    id = "xgrad_cam"
    title = "XGrad-CAM"
    year = 2020
    order = 3
    paper = Paper("Axiom-based Grad-CAM (Fu et al.)", "https://arxiv.org/abs/2008.02312")
    summary = "Grad-CAM with each channel's gradient averaged where the channel is active."
    strengths = (
        "Before ReLU it sums to the first-order share of the feature map in the score",
        "One pass over the last layers only",
    )
    weaknesses = (
        "Coarse: as fine as the feature map",
        "Where a channel has both signs, the sum that it divides by may be near zero",
    )

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        total = features.sum((2, 3), keepdim=True)
        share = (features * gradients).sum((2, 3), keepdim=True)
        return weighted(features, torch.where(total != 0, share / total, 0))
