"""Grad-CAM++: each place of a feature map counts for itself in the channel's weight."""

from __future__ import annotations

import torch
from torch import Tensor

from ..base import Paper, register
from ..cams import CamMethod, weighted


@register
class GradCamPlusPlus(CamMethod):
    """ReLU(Σ_k w_k A_k), w_k = Σ_ij α ReLU(G), α = G² / (2 G² + (Σ_ab A_k) G³), 0 where the denominator is 0.

    A is the feature map (K, h, w) of `layer`, G = ∂S/∂A. Chattopadhyay et al. 2018, arXiv:1710.11063, equations 5 and
    19: there the class score is exp(S), whose derivatives reduce to powers of G. As in the paper, Σ_ab is over A alone,
    and G³ that of the place. PyPI grad-cam adds 1e-6 to the denominator, which changes the map where G is small;
    torchcam 0.5 sums A G³ over the places, and its division has no effect. Diagnostics: `layer`.
    """

    id = "grad_cam_plus_plus"
    title = "Grad-CAM++"
    year = 2018
    paper = Paper("Grad-CAM++ (Chattopadhyay et al.)", "https://arxiv.org/abs/1710.11063")
    summary = "Grad-CAM with weights in which small regions count as much as large ones."
    strengths = ("Finds several objects of a class, also small ones", "One pass over the last layers only")
    weaknesses = (
        "Ignores all gradients that speak against the class, so it depends less on the class",
        "Coarse: as fine as the feature map",
    )

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        # G² is cancelled, which underflows where G is small: α = 1 / (2 + (Σ_ab A) G)
        denominator = 2 + features.sum((2, 3), keepdim=True) * gradients
        alpha = torch.where(denominator != 0, 1 / denominator, 0)
        return weighted(features, (alpha * gradients.relu()).sum((2, 3), keepdim=True))
