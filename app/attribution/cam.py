"""Class activation maps: what a late feature map holds, weighted by what it does for the score."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor
from torch.nn.functional import interpolate

from ..zoo.classifier import Classifier
from .base import Attribution, Method, Paper, Parameters, Progress, Steps, register
from .engine import Engine
from .layers import choose_layer


class CamParameters(Parameters):
    layer: str = Field(
        "auto", title="Layer", max_length=200, description="Name of the layer; auto takes the last spatial feature map"
    )
    relu: bool = Field(True, title="ReLU", description="Keep only what speaks for the class")


@register
class GradCam(Method[CamParameters]):
    """ReLU(Σ_k w_k A_k), w_k = mean over space of ∂S/∂A_k; bilinear to (H, W), align_corners = False.

    A is the feature map (K, h, w) of `layer`. Selvaraju et al. 2016, arXiv:1610.02391. Diagnostics: `layer`.
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
    Parameters = CamParameters

    def cost(self, parameters: CamParameters, size: tuple[int, int]) -> int:
        return 1

    def check(self, classifier: Classifier, parameters: CamParameters) -> None:
        choose_layer(classifier.census.layers, parameters.layer)

    def attribute(self, engine: Engine, picture: Tensor, parameters: CamParameters, seed: int) -> Steps:
        layer = choose_layer(engine.classifier.census.layers, parameters.layer)
        features, gradient = engine.features(picture, layer)
        weights = gradient.mean((1, 2), keepdim=True)
        cam = (weights * features).sum(0)
        if parameters.relu:
            cam = cam.relu()
        values = interpolate(cam[None, None], picture.shape[-2:], mode="bilinear", align_corners=False)[0]
        yield Progress(1, 1, values)
        return Attribution(values, {"gradient_evaluations": 1, "layer": layer})
