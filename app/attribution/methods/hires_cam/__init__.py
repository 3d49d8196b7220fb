"""HiResCAM: features times gradients, place by place."""

from __future__ import annotations

from torch import Tensor

from ..base import Paper, register
from ..cams import CamMethod, weighted


@register
class HiResCam(CamMethod):
    """ReLU(Σ_k G_k ⊙ A_k): input × gradient at a feature map, summed over the channels.

    A is the feature map (K, h, w) of `layer`, G = ∂S/∂A. Draelos, Carin 2020, arXiv:2011.08891. Where only a mean over
    the places and one linear layer follow, it is Grad-CAM. Diagnostics: `layer`.
    """

    id = "hires_cam"
    title = "HiResCAM"
    year = 2020
    order = 2
    paper = Paper("Use HiResCAM instead of Grad-CAM (Draelos, Carin)", "https://arxiv.org/abs/2011.08891")
    summary = "Features times their own gradients, place by place: what each place of the feature map adds."
    strengths = (
        "Shows only places that the score depends on, to first order",
        "Where linear layers alone follow, it shows exactly what each place adds to the score",
    )
    weaknesses = (
        "Coarse: as fine as the feature map",
        "At early layers it is as noisy as the gradient",
    )

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        return weighted(features, gradients)
