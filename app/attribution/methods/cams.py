"""Class activation maps: the feature maps of a layer, weighted by what they do for the score, and summed up.

The maps differ in the weights only. Features and gradients of a layer are those of the engine, so that all methods
that share a forward pass share these too.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import interpolate

from ..classifier import Classifier
from ..engine import Engine
from ..inspection import inspection_of
from ..layers import choose_layer
from ..shared_forward import ForwardPass, SharedEngine
from .base import Diagnostics, OnePass, Parameters

Weigh = Callable[[Tensor, Tensor], Tensor]  # A and ∂S/∂A, both (N, K, h, w) → (N, 1, h, w)


class LayerParameters(Parameters):
    layer: str = Field(
        "auto",
        title="Layer",
        max_length=200,
        description="Name of the layer; auto takes the last spatial feature map that all of the score passes through",
    )


class LayersParameters(Parameters):
    layer: str = Field(
        "auto",
        title="Layer",
        max_length=400,
        description="Name of the layer; auto takes the last spatial feature map that all of the score passes through. "
        "Of several names, separated by commas, the maps are averaged, each scaled to its own maximum",
    )


class CamParameters(LayersParameters):
    relu: bool = Field(True, title="ReLU", description="Keep only positive values, which speak for the class")


def choose_layers(classifier: Classifier, names: str, method: str, by_gradient: bool = True) -> tuple[str, ...]:
    """The layers called `names`, separated by commas, each once. Raises as `choose_layer` does."""
    found = inspection_of(classifier).feature_layers
    return tuple(dict.fromkeys(choose_layer(found, name.strip(), method, by_gradient) for name in names.split(",")))


class CamMethod(OnePass[CamParameters]):
    """A class activation map: `weigh` of the features A and gradients ∂S/∂A of `layer`, ReLU, bilinear to (H, W).

    The map is (1, H, W). Of several layers it is the mean of their maps, each divided by its largest magnitude.
    Diagnostics: `layer`. Raises `Refused` where the network has no such layer, `InvalidParameter` for a wrong name.
    """

    family = "cam"
    single_channel = True
    by_gradient: ClassVar[bool] = True  # whether the gradient enters the map
    Parameters = CamParameters

    @abstractmethod
    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        """The map before ReLU of A and ∂S/∂A, both (N, K, h, w): (N, 1, h, w)."""

    def view(self, engine: Engine) -> Engine:
        """The engine whose `features` are what `weigh` takes: A and ∂S/∂A, unless a method says otherwise."""
        return engine

    def check(self, classifier: Classifier, parameters: CamParameters) -> None:
        self.layers(classifier, parameters)

    def zero_note(self, parameters: CamParameters) -> str:
        return "zero_relu" if parameters.relu else "zero"

    def layers(self, classifier: Classifier, parameters: CamParameters) -> tuple[str, ...]:
        return choose_layers(classifier, parameters.layer, self.id, self.by_gradient)

    def maps(self, engine: Engine, pictures: Tensor, parameters: CamParameters) -> tuple[Tensor, Diagnostics]:
        names = self.layers(engine.classifier, parameters)
        if len(names) > 1 and not isinstance(engine, SharedEngine):  # one pass for all layers, not one for each
            forward = ForwardPass(engine.classifier, pictures, names)
            engine = SharedEngine(forward, engine.score, engine.backend)
        engine = self.view(engine)
        found = [class_activation(engine, pictures, name, parameters.relu, self.weigh) for name in names]
        return mean_of_layers(found), {"layer": ", ".join(names)}


def mean_of_layers(maps: Sequence[Tensor]) -> Tensor:
    """The mean of maps (N, 1, H, W), each divided by its largest magnitude; of one map, the map itself."""
    if len(maps) == 1:
        return maps[0]
    largest = [map.abs().amax((1, 2, 3), keepdim=True) for map in maps]
    scaled = [map / torch.where(most > 0, most, 1) for map, most in zip(maps, largest, strict=True)]
    return torch.stack(scaled).mean(0)


def mean_gradient(features: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM's: Σ_k w_k A_k, w_k = mean over space of ∂S/∂A_k."""
    return weighted(features, gradients.mean((2, 3), keepdim=True))


def weighted(features: Tensor, weights: Tensor) -> Tensor:
    """Σ_k w_k ⊙ A_k: (N, K, h, w) → (N, 1, h, w). The weights are (N, K, 1, 1), or one for each place."""
    return (weights * features).sum(1, keepdim=True)


def class_activation(engine: Engine, pictures: Tensor, layer: str, relu: bool, weigh: Weigh = mean_gradient) -> Tensor:
    """The map of a layer, enlarged to the pictures' (H, W): (N, 1, H, W)."""
    cam = coarse_activation(engine, pictures, layer, weigh)
    return enlarged(cam.relu() if relu else cam, pictures)


def coarse_activation(engine: Engine, pictures: Tensor, layer: str, weigh: Weigh) -> Tensor:
    """The map of a layer on its own grid, before ReLU: (N, 1, h, w).

    Of a layer that sees the picture and its mirror image it is the sum of both maps, each as it lies in the picture.
    """
    found = engine.inspection.feature_layers.find(layer)
    if found is None:
        return weigh(*engine.features(pictures, layer))

    def map_of(both: tuple[Tensor, Tensor]) -> Tensor:
        features, gradients = (found.layout.spatial(values).contiguous() for values in both)
        return weigh(features, gradients)

    if found.mirrored_calls:
        calls = found.mirrored_calls
        pairs = engine.features_of_calls(pictures, layer, [call.number for call in calls])
        return torch.stack([call.upright(map_of(both)) for call, both in zip(calls, pairs, strict=True)]).sum(0)
    if found.call >= 0:
        return map_of(engine.features_of_calls(pictures, layer, (found.call,))[0])
    return map_of(engine.features(pictures, layer))


def enlarged(map: Tensor, pictures: Tensor) -> Tensor:
    """`map` (N, K, h, w) at the pictures' (H, W): bilinear, align_corners = False."""
    return interpolate(map, pictures.shape[-2:], mode="bilinear", align_corners=False)
