"""ShapleyCAM: Grad-CAM with the curvature of the score in each channel's weight."""

from __future__ import annotations

from torch import Tensor

from ...curvature import CurvedEngine
from ...engine import Engine
from ..base import Attribution, Diagnostics, Paper, Progress, Steps, register
from ..cams import CamMethod, CamParameters, mean_gradient


@register
class ShapleyCam(CamMethod):
    """ReLU(Σ_k w_k A_k), w_k = mean over space of (G − ½ H A)_k, H the Hessian of S by A.

    A is the feature map (K, h, w) of `layer`, G = ∂S/∂A; H A is a second backward pass, a Hessian-vector product. Cai
    2025, arXiv:2501.06261. Where S is linear in A, or piecewise linear, H is 0 and the map is Grad-CAM's. Diagnostics:
    `layer`, `gradient_evaluations` (two for each layer). Raises `Refused` where an operation has no second derivative.
    """

    id = "shapley_cam"
    title = "ShapleyCAM"
    year = 2025
    paper = Paper("CAMs as Shapley Value-based Explainers (Cai)", "https://arxiv.org/abs/2501.06261")
    summary = "Grad-CAM that also takes into account how the gradient itself changes with the features."
    strengths = (
        "Estimates what the score loses without a channel to second order",
        "Two backward passes over the last layers only",
    )
    weaknesses = (
        "The same as Grad-CAM where the score is linear in the feature map, as logits after a mean are",
        "Coarse: as fine as the feature map",
    )

    def cost(self, parameters: CamParameters, size: tuple[int, int]) -> int:
        return 2 * len({name.strip() for name in parameters.layer.split(",")})

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        return mean_gradient(features, gradients)

    def view(self, engine: Engine) -> Engine:
        return CurvedEngine(engine)

    def maps(self, engine: Engine, pictures: Tensor, parameters: CamParameters) -> tuple[Tensor, Diagnostics]:
        values, diagnostics = super().maps(engine, pictures, parameters)
        layers = len(self.layers(engine.classifier, parameters))
        return values, {"gradient_evaluations": 2 * layers, **diagnostics}

    def attribute(self, engine: Engine, picture: Tensor, parameters: CamParameters, seed: int) -> Steps:
        values, diagnostics = self.maps(engine, picture[None], parameters)
        count = diagnostics["gradient_evaluations"]
        yield Progress(count, count, values[0])
        return Attribution(values[0], diagnostics)
