"""Class activation maps: what a late feature map holds, weighted by what it does for the score."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import interpolate

from ...classifier import Classifier
from ...engine import Engine
from ...inspection import inspection_of
from ...layers import choose_layer
from ..base import Diagnostics, OnePass, Paper, Parameters, register


class LayerParameters(Parameters):
    layer: str = Field(
        "auto",
        title="Layer",
        max_length=200,
        description="Name of the layer; auto takes the last spatial feature map that all of the score passes through",
    )


class CamParameters(LayerParameters):
    relu: bool = Field(True, title="ReLU", description="Keep only positive values, which speak for the class")


@register
class GradCam(OnePass[CamParameters]):
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
    default = True
    single_channel = True
    Parameters = CamParameters

    def check(self, classifier: Classifier, parameters: CamParameters) -> None:
        choose_layer(inspection_of(classifier).feature_layers, parameters.layer, self.id)

    def zero_note(self, parameters: CamParameters) -> str:
        return "zero_relu" if parameters.relu else "zero"

    def layers(self, classifier: Classifier, parameters: CamParameters) -> tuple[str, ...]:
        return (choose_layer(inspection_of(classifier).feature_layers, parameters.layer, self.id),)

    def maps(self, engine: Engine, pictures: Tensor, parameters: CamParameters) -> tuple[Tensor, Diagnostics]:
        (layer,) = self.layers(engine.classifier, parameters)
        return class_activation(engine, pictures, layer, relu=parameters.relu), {"layer": layer}


def class_activation(engine: Engine, pictures: Tensor, layer: str, relu: bool) -> Tensor:
    """Grad-CAM of a layer, enlarged to the pictures' (H, W): (N, 1, H, W).

    Of a layer that sees the picture and its mirror image it is the sum of both maps, each as it lies in the picture.
    """
    found = engine.inspection.feature_layers.find(layer)
    if found is not None and found.mirrored_calls:
        calls = found.mirrored_calls
        both = engine.features_of_calls(pictures, layer, [call.number for call in calls])
        cam = torch.stack([call.upright(_weighted(*one)) for call, one in zip(calls, both, strict=True)]).sum(0)
    elif found is not None and found.call >= 0:
        cam = _weighted(*engine.features_of_calls(pictures, layer, (found.call,))[0])
    else:
        cam = _weighted(*engine.features(pictures, layer))
    return interpolate(cam.relu() if relu else cam, pictures.shape[-2:], mode="bilinear", align_corners=False)


def _weighted(features: Tensor, gradients: Tensor) -> Tensor:
    """Σ_k w_k A_k, w_k = mean over space of ∂S/∂A_k: (N, 1, h, w)."""
    return (gradients.mean((2, 3), keepdim=True) * features).sum(1, keepdim=True)
