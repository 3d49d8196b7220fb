"""Score-CAM: each channel weighs what the score is where only that channel's places are visible. Needs no gradient."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ...engine import Engine
from ...gradients import finite
from ..base import Paper, register
from ..cams import enlarged
from ..channel_cams import ChannelCam, LayerChannels


@register
class ScoreCam(ChannelCam):
    """ReLU(Σ_k w_k A_k), w = softmax over k of S(x ⊙ M_k) − S(0).

    A is the feature map (K, h, w) of `layer`; M_k is A_k at the picture's size (bilinear, align_corners = False), then
    scaled to [0, 1]. Wang et al. 2019, arXiv:1910.01279. A softmax stays the same when a number is added to all scores,
    so S(0) plays no part and is not computed. A channel that is constant over the picture marks nothing, and has no
    weight. `channels` keeps those that vary most over the places, by their variance; the default is all of them in most
    networks, as in the paper.

    PyPI grad-cam enlarges its masks with align_corners = True, and torchcam scales them before it enlarges them, so
    their maps differ a little from this one. Diagnostics: `layer`, `forward_evaluations`.
    """

    id = "score_cam"
    title = "Score-CAM"
    year = 2019
    family = "cam"
    paper = Paper("Score-CAM (Wang et al.)", "https://arxiv.org/abs/1910.01279")
    summary = "Feature maps, each weighted by the score of the picture with only its places visible."
    strengths = ("Needs no gradient", "Asks the model what a feature map is worth, instead of guessing by a derivative")
    weaknesses = (
        "A pass for each channel: hundreds or thousands",
        "The softmax gives nearly all weight to a few channels where scores lie far apart, as logits often do",
        "Asks about pictures that are darkened in part, which the model never saw",
    )

    def energies(self, features: Tensor) -> Tensor:
        places = features[0].flatten(1)
        varies = places.amax(1) > places.amin(1)  # the variance of equal floats may round to a little more than 0
        return torch.where(varies, places.var(1, correction=0), 0)

    def scores(self, engine: Engine, picture: Tensor, layer: LayerChannels) -> Iterator[Tensor]:
        for channels in engine.batches(layer.channels):
            masks = unit_range(enlarged(layer.features[:, channels], picture[None]))
            yield finite(engine.scores(picture * masks.transpose(0, 1)))

    def weights(self, scores: Tensor, score: Tensor) -> Tensor:
        return scores.softmax(0)


def unit_range(maps: Tensor) -> Tensor:
    """(1, K, H, W), each channel from 0 to 1; 0 for one that is constant."""
    lowest, highest = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    spread = highest - lowest
    return (maps - lowest) / torch.where(spread > 0, spread, 1)
