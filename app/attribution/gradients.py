"""The gradient of a score with respect to pixel values in [0, 1], by autograd, in one pass: what all else rests on."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from .classifier import Classifier
from .errors import ComputationFailed, Refused
from .score import Score


class Rule(Protocol):
    """A change of the backward pass, put on the graph of logits and lifted from it again."""

    def __call__(self, logits: Tensor) -> None: ...

    def lift(self) -> None: ...


def take_gradients(classifier: Classifier, pictures: Tensor, score: Score, rule: Rule | None = None) -> Tensor:
    """∂S/∂x for each of (N, C, H, W) by autograd, in one pass."""
    with torch.enable_grad():
        x = channels_last(pictures.detach()).clone().requires_grad_()
        logits = classifier(x)
        if not logits.requires_grad:
            raise Refused("The logits do not depend on the picture by differentiable steps: there is no gradient.")
        if rule is not None:
            rule(logits)
        (gradient,) = torch.autograd.grad(score(logits).sum(), x)
    return gradient.contiguous()


def finite(values: Tensor) -> Tensor:
    """`values`, or `ComputationFailed` where one is NaN or infinite: such a map must never be shown."""
    # A sum is finite only where all values are, and is quick; where it is not, it may just have run over.
    if not bool(torch.isfinite(values.sum())) and not bool(torch.isfinite(values).all()):
        raise ComputationFailed("The result holds values that are not finite (NaN or infinity): no map is shown.")
    return values


def channels_last(pictures: Tensor) -> Tensor:
    return pictures.contiguous(memory_format=torch.channels_last)
