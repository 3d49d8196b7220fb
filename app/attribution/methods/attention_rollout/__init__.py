"""Attention rollout: where a transformer's attention, followed through all blocks, comes from. It knows no class."""

from __future__ import annotations

import torch
from torch import Tensor

from ...attention import UnfusedAttention
from ...classifier import Classifier
from ...counters import counters
from ...engine import Engine
from ...gradients import finite
from ...token_blocks import token_blocks_of
from ...torch_state import clean_state
from ..base import Attribution, Method, NoParameters, Paper, Progress, Steps, register
from ..cams import enlarged


@register
class AttentionRollout(Method[NoParameters]):
    """R = Â_L ⋯ Â_1, Â_l = ½ (mean over heads of A_l) + ½ I; the map is R's row of the class token over the patches.

    A_l are the attention weights (tokens, tokens) of block l, rows summing to 1; ½ I stands for the skip connection.
    Where the logits are computed from several tokens, it is the mean of their rows. Bilinear to (H, W): (1, H, W),
    values from 0 to 1. Not class-specific: no score enters, so the map is the same for every class. Abnar, Zuidema
    2020, arXiv:2005.00928. Diagnostics: `forward_evaluations`. Raises `Refused` where an attention is not one of all
    tokens to all tokens of one grid: within windows, over channels, of a class token alone, or none at all.
    """

    id = "attention_rollout"
    title = "Attention rollout"
    year = 2020
    order = 4
    paper = Paper("Quantifying Attention Flow in Transformers (Abnar, Zuidema)", "https://arxiv.org/abs/2005.00928")
    family = "attention"
    summary = "Where attention, followed through all blocks, comes from. Not class-specific: the same for every class."
    strengths = ("One forward pass, no gradient", "Shows what all blocks of a transformer look at together")
    weaknesses = (
        "Not class-specific: it shows where the network looks, not what speaks for the answer",
        "Sees the attention weights alone, not what is carried along them; transformers on one grid only",
    )
    single_channel = True
    differentiates = False
    transformers_only = True
    Parameters = NoParameters

    def cost(self, parameters: NoParameters, size: tuple[int, int]) -> int:
        return 1

    def check(self, classifier: Classifier, parameters: NoParameters) -> None:
        token_blocks_of(classifier)

    def attribute(self, engine: Engine, picture: Tensor, parameters: NoParameters, seed: int) -> Steps:
        found = token_blocks_of(engine.classifier)
        rolled, logits = rollout(engine.classifier, picture[None])
        engine.score(logits)  # which no value depends on, but a class that does not exist is an error here, too
        rows = rolled[:, list(found.read)].mean(1)
        (values,) = enlarged(finite(found.layout.spatial(rows[..., None])), picture[None])
        yield Progress(1, 1, values)
        return Attribution(values, {"gradient_evaluations": 0, "forward_evaluations": 1})


def rollout(classifier: Classifier, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """R of pictures (N, C, H, W), (N, tokens, tokens), and their logits."""
    followed: list[Tensor] = []

    def follow(weights: Tensor) -> Tensor:
        one = torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)
        step = (weights.mean(1) + one) / 2
        followed[:] = [step @ followed[0] if followed else step]
        return weights

    with clean_state(), torch.no_grad(), UnfusedAttention(follow):
        logits = classifier(classifier.to_memory_format(pictures))
    counters.add(len(pictures), gradients=False)
    return followed[0], logits
