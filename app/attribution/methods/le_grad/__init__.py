"""LeGrad: how sensitive the class, as each block sees it, is to that block's attention."""

from __future__ import annotations

import torch
from torch import Tensor

from ...attention import UnfusedAttention
from ...classifier import Classifier
from ...counters import counters
from ...engine import Engine
from ...errors import Refused
from ...gradients import finite
from ...score import Score
from ...token_blocks import TokenBlocks, collected, token_blocks_of
from ...torch_state import clean_state
from ..base import Attribution, Method, NoParameters, Paper, Progress, Steps, register
from ..cams import enlarged


@register
class LeGrad(Method[NoParameters]):
    """Mean over blocks l, heads and queries of ReLU(∂s_l/∂A_l), at the keys that are patches; bilinear to (H, W).

    A_l are the attention weights (heads, tokens, tokens) of block l. s_l is the score of what block l puts out: the
    mean of its tokens, which goes through what follows the last block (normalisation, linear layer) as every token of
    the last block would. Only block l lies between A_l and s_l. The map is (1, H, W), without the paper's scaling to
    [0, 1]. Bousselham et al. 2024, arXiv:2404.03214. Raises `Refused` where `AttentionRollout` does, and where a
    block's output is not the next one's input.
    """

    id = "le_grad"
    title = "LeGrad"
    year = 2024
    family = "attention"
    paper = Paper("LeGrad (Bousselham et al.)", "https://arxiv.org/abs/2404.03214")
    summary = "How sensitive the class, as each block of a transformer sees it, is to the block's attention to a place."
    strengths = ("Made for transformers, specific to the class", "One pass over the blocks, each differentiated alone")
    weaknesses = (
        "Only what speaks for the class: it has no negative values",
        "As coarse as the patches; transformers on one grid only",
    )
    single_channel = True
    transformers_only = True
    Parameters = NoParameters

    def cost(self, parameters: NoParameters, size: tuple[int, int]) -> int:
        return 1

    def check(self, classifier: Classifier, parameters: NoParameters) -> None:
        blocks_with_scores(classifier)

    def attribute(self, engine: Engine, picture: Tensor, parameters: NoParameters, seed: int) -> Steps:
        found = blocks_with_scores(engine.classifier)
        sensitivity = key_sensitivity(engine.classifier, picture[None], engine.score, found)
        (values,) = enlarged(finite(found.layout.spatial(sensitivity[..., None])), picture[None])
        yield Progress(1, 1, values)
        return Attribution(values, {"gradient_evaluations": 1})


def blocks_with_scores(classifier: Classifier) -> TokenBlocks:
    """The blocks of a classifier, each of which has a score of its own. Raises `Refused`."""
    found = token_blocks_of(classifier)
    if not found.blocks:
        raise Refused(
            "LeGrad asks for the score of each block's output, and this model's blocks are not such that one's output "
            "is the next one's input, with one attention in each. Take another method."
        )
    return found


def key_sensitivity(classifier: Classifier, pictures: Tensor, score: Score, found: TokenBlocks) -> Tensor:
    """The mean over blocks, heads and queries of ReLU(∂s_l/∂A_l): (N, tokens)."""
    count = len(pictures)
    attentions: list[Tensor] = []

    def keep(weights: Tensor) -> Tensor:
        attentions.append(weights.detach().requires_grad_())
        return attentions[-1]

    def beside(outputs: list[Tensor]) -> Tensor:
        """The last output, and beside it along the batch the mean token of each output, in the place of every token."""
        return torch.cat(
            [outputs[-1].detach(), *(output.mean(1, keepdim=True).expand_as(output) for output in outputs)]
        )

    with clean_state():
        with UnfusedAttention(keep), collected(classifier, found.blocks, beside):
            rows = (len(found.blocks) + 1) * count
            logits = classifier(classifier.to_memory_format(pictures.detach()), rows)
        total = torch.stack([score(part).sum() for part in torch.split(logits, count)[1:]]).sum()
        gradients = torch.autograd.grad(total, attentions)
        counters.add(count)
        return torch.stack([gradient.relu().mean((1, 2)) for gradient in gradients]).mean(0)
