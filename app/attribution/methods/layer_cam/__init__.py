"""LayerCAM: features times their positive gradients, place by place; for early layers too."""

from __future__ import annotations

from torch import Tensor

from ..base import Paper, register
from ..cams import CamMethod, weighted


@register
class LayerCam(CamMethod):
    """ReLU(Σ_k ReLU(G_k) ⊙ A_k).

    A is the feature map (K, h, w) of `layer`, G = ∂S/∂A. Jiang et al. 2021, IEEE Transactions on Image Processing 30,
    5875–5888. The paper's tanh scaling of maps of early layers is left out. Diagnostics: `layer`.
    """

    id = "layer_cam"
    title = "LayerCAM"
    year = 2021
    paper = Paper("LayerCAM (Jiang et al.)", "https://doi.org/10.1109/TIP.2021.3089943")
    summary = "Features times their positive gradients, place by place, at any layer."
    strengths = ("Works at early layers too, where it is finer", "One pass")
    weaknesses = (
        "Ignores all gradients that speak against the class, so it depends less on the class",
        "At the last layer as coarse as Grad-CAM",
    )

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        return weighted(features, gradients.relu())
