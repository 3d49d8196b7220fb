"""Grad-CAM: what a late feature map holds, each channel weighted by its mean gradient."""

from __future__ import annotations

from torch import Tensor

from ..base import Paper, register
from ..cams import CamMethod, mean_gradient


@register
class GradCam(CamMethod):
    """ReLU(Σ_k w_k A_k), w_k = mean over space of ∂S/∂A_k; bilinear to (H, W), align_corners = False.

    A is the feature map (K, h, w) of `layer`; of several layers, the mean of their maps, each scaled to its own
    maximum. Selvaraju et al. 2016, arXiv:1610.02391. Diagnostics: `layer`.
    """

    id = "grad_cam"
    title = "Grad-CAM"
    year = 2016
    paper = Paper("Grad-CAM (Selvaraju et al.)", "https://arxiv.org/abs/1610.02391")
    summary = "Which regions of the last feature map speak for the class."
    strengths = (
        "One pass over the last layers only",
        "Moves to another place with another class",
        "Smooth, easily read",
    )
    weaknesses = (
        "Coarse: as fine as the feature map, often 7×7",
        "Averages the gradient over space, so it can miss what several places do together",
    )
    default = True

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        return mean_gradient(features, gradients)
