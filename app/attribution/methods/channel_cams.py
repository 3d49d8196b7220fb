"""Class activation maps whose weights come from forward passes, one for each channel of a layer. They need no gradient.

Score-CAM shows the network what a channel marks, Ablation-CAM takes the channel away.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from ..classifier import Classifier
from ..engine import Engine
from .base import Attribution, Method, Progress, Steps
from .cams import CamParameters, choose_layers, enlarged, mean_of_layers, weighted


class ChannelParameters(CamParameters):
    channels: int = Field(
        2048,
        title="Channels",
        ge=1,
        le=8192,
        description="At most so many channels of a layer, the strongest; each takes a forward pass",
    )


@dataclass(frozen=True)
class LayerChannels:
    """A layer's feature map as it lies in the picture, (1, K, h, w), the calls that it comes from, and the channels to
    ask about, the strongest first."""

    layer: str
    calls: tuple[int, ...]
    features: Tensor
    channels: list[int]


class ChannelCam(Method[ChannelParameters]):
    """ReLU(Σ_k w_k A_k), bilinear to (H, W): (1, H, W). A is the feature map (K, h, w) of `layer`.

    Each weight needs a forward pass; `channels` limits their number, and all other weights are 0. Of several layers it
    is the mean of their maps, each divided by its largest magnitude. Of a layer that sees the picture and its mirror
    image, A is the sum of both, each as it lies in the picture.

    Diagnostics: `layer`, `forward_evaluations`. The cost is an upper bound: a layer may have fewer channels. Raises
    `Refused` where the network has no such layer, `InvalidParameter` for a wrong name.
    """

    single_channel = True
    differentiates = False
    Parameters = ChannelParameters

    @abstractmethod
    def energies(self, features: Tensor) -> Tensor:
        """How strong each channel of (1, K, h, w) is, (K,); 0 for one that adds nothing to the map."""

    @abstractmethod
    def scores(self, engine: Engine, picture: Tensor, layer: LayerChannels) -> Iterator[Tensor]:
        """The score of each channel's pass, micro-batch by micro-batch, (n,) each."""

    @abstractmethod
    def weights(self, scores: Tensor, score: Tensor) -> Tensor:
        """The weights of the channels, (n,) in float64, from the scores of their passes and the picture's."""

    def cost(self, parameters: ChannelParameters, size: tuple[int, int]) -> int:
        return 1 + parameters.channels * len({name.strip() for name in parameters.layer.split(",")})

    def zero_note(self, parameters: ChannelParameters) -> str:
        return "zero_relu" if parameters.relu else "zero"

    def check(self, classifier: Classifier, parameters: ChannelParameters) -> None:
        choose_layers(classifier, parameters.layer, self.id)

    def attribute(self, engine: Engine, picture: Tensor, parameters: ChannelParameters, seed: int) -> Steps:
        names = choose_layers(engine.classifier, parameters.layer, self.id)
        score, outputs = engine.feature_maps(picture, names)
        layers = [self._layer(engine, name, outputs[name], parameters.channels) for name in names]
        done, total = 1, 1 + sum(len(layer.channels) for layer in layers)
        values = picture.new_zeros((1, 1, *picture.shape[-2:]))
        yield Progress(done, total, values[0])
        maps: list[Tensor] = []
        for layer in layers:
            maps.append(torch.zeros_like(values))
            known: list[Tensor] = []
            for scores in self.scores(engine, picture, layer):
                known.append(scores.double())
                weights = self.weights(torch.cat(known), score.double())
                cam = weighted(layer.features[:, layer.channels[: len(weights)]], weights.view(1, -1, 1, 1))
                maps[-1] = enlarged((cam.relu() if parameters.relu else cam).to(picture.dtype), picture[None])
                values, done = mean_of_layers(maps), done + len(scores)
                yield Progress(done, total, values[0])
        return Attribution(
            values[0], {"gradient_evaluations": 0, "forward_evaluations": total, "layer": ", ".join(names)}
        )

    def _layer(self, engine: Engine, name: str, outputs: list[Tensor], most: int) -> LayerChannels:
        found = engine.inspection.feature_layers.find(name)
        if found is not None:
            outputs = [found.layout.spatial(output) for output in outputs]
        if found is not None and found.mirrored_calls:
            calls = tuple(call.number for call in found.mirrored_calls)
            features = torch.stack([call.upright(outputs[call.number]) for call in found.mirrored_calls]).sum(0)
        else:
            calls = (found.call if found is not None and found.call >= 0 else len(outputs) - 1,)
            features = outputs[calls[0]]
        energies = self.energies(features)
        strongest = energies.argsort(descending=True, stable=True)[:most]
        return LayerChannels(name, calls, features, strongest[energies[strongest] > 0].tolist())
