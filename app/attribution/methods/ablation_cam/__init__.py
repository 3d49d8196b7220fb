"""Ablation-CAM: each channel weighs what share of the score is lost without it. Needs no gradient."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import torch
from torch import Tensor

from ...engine import Engine
from ...gradients import finite
from ..base import Paper, register
from ..channel_cams import ChannelCam, LayerChannels

log = logging.getLogger(__name__)
# How far scores may be apart where the layers below run for one picture alone: a share of their spread over the
# channels, which is what the weights come from, and what rounding makes of their size.
OF_SPREAD, ROUNDING = 1e-2, 1e-5


@register
class AblationCam(ChannelCam):
    """ReLU(Σ_k w_k A_k), w_k = (S − S with A_k = 0) / |S|.

    A is the feature map (K, h, w) of `layer`. Desai, Ramaswamy 2020, WACV, doi:10.1109/WACV45572.2020.9093360. The
    paper divides by S, which would turn the map's sign where the score is negative, as every log-probability is. With
    S = 0 the weights are not divided. A channel that is 0 everywhere has no weight. `channels` keeps the strongest, by
    the sum of their squares; the default is all of them in most networks.

    What lies below the layer is computed once only, for all channels, if a trial with the first micro-batch has shown
    that the network gives the same scores that way; otherwise each pass goes through the whole network. PyPI grad-cam
    agrees where the layer's smallest value is 0; elsewhere it does not set channels to 0, but to −10⁷.
    Diagnostics: `layer`, `forward_evaluations`.
    """

    id = "ablation_cam"
    title = "Ablation-CAM"
    year = 2020
    order = 1
    family = "cam"
    paper = Paper("Ablation-CAM (Desai, Ramaswamy)", "https://doi.org/10.1109/WACV45572.2020.9093360")
    summary = "Feature maps, each weighted by the share of the score that is lost without it."
    strengths = ("Needs no gradient", "A weight says what the channel is worth to this score, also where it saturates")
    weaknesses = (
        "A pass for each channel: hundreds or thousands",
        "Takes channels away one by one: what several of them say alike counts little",
        "Coarse: as fine as the feature map",
    )

    def energies(self, features: Tensor) -> Tensor:
        return features[0].flatten(1).square().sum(1)

    def scores(self, engine: Engine, picture: Tensor, layer: LayerChannels) -> Iterator[Tensor]:
        from_layer: bool | None = None
        for batch in engine.batches(layer.channels):
            channels = torch.tensor(batch, device=picture.device)
            if from_layer is None:
                scores, from_layer = try_from_layer(engine, picture, layer, channels)
            else:
                scores = ablated(engine, picture, layer, channels, from_layer)
            yield scores

    def weights(self, scores: Tensor, score: Tensor) -> Tensor:
        return (score - scores) / (score.abs() if score else 1)


def ablated(engine: Engine, picture: Tensor, layer: LayerChannels, channels: Tensor, from_layer: bool) -> Tensor:
    """S without each of the channels: (n,)."""
    return finite(engine.ablated_scores(picture, layer.layer, layer.calls, channels, from_layer=from_layer))


def try_from_layer(engine: Engine, picture: Tensor, layer: LayerChannels, channels: Tensor) -> tuple[Tensor, bool]:
    """S without each of the channels, by whole passes; and whether passes from the layer on give the same."""
    expected = ablated(engine, picture, layer, channels, from_layer=False)
    if len(channels) == 1 or engine.classifier.calling.one_by_one:
        return expected, False
    try:
        scores = ablated(engine, picture, layer, channels, from_layer=True)
    except Exception:  # a network may do anything with the number of its pictures
        log.info("%s: no passes from %s on", engine.classifier.id, layer.layer, exc_info=True)
        return expected, False
    spread, size = float(expected.max() - expected.min()), float(expected.abs().max())
    return expected, float((scores - expected).abs().max()) <= OF_SPREAD * spread + ROUNDING * size
