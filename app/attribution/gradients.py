"""The gradient of a score with respect to pixel values in [0, 1], by autograd, in one pass: what all else rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from .classifier import Classifier
from .errors import ComputationFailed, Refused
from .score import Score
from .torch_state import clean_state

T = TypeVar("T")


class Rule(Protocol):
    """A change of the backward pass, attached to the graph of logits and removed from it again.

    `recording` is a context for a forward pass of its own, for a rule that must see the values on the way; None for one
    that the graph alone suffices for.
    """

    def recording(self) -> AbstractContextManager[object] | None: ...

    def __call__(self, logits: Tensor) -> None: ...

    def remove(self) -> None: ...


def take_gradients(classifier: Classifier, pictures: Tensor, score: Score, rule: Rule | None = None) -> Tensor:
    """∂S/∂x for each of (N, C, H, W) by autograd, in one pass."""
    with clean_state():
        return retry_adapted(classifier, lambda: _one_pass(classifier, pictures, score, rule)).contiguous()


def _one_pass(classifier: Classifier, pictures: Tensor, score: Score, rule: Rule | None) -> Tensor:
    x = classifier.to_memory_format(pictures.detach()).clone().requires_grad_()
    with (rule.recording() if rule is not None else None) or nullcontext():
        logits = classifier(x)
    if not logits.requires_grad:
        raise Refused("The logits do not depend on the picture by differentiable steps: there is no gradient.")
    if rule is not None:
        rule(logits)
    gradient = gradient_at(x, score(logits).sum(), classifier)
    if gradient is None:
        raise Refused("The score's gradient does not reach the picture: an operation on the way has no derivative.")
    return gradient


def gradient_at(leaf: Tensor, score: Tensor, classifier: Classifier) -> Tensor | None:
    """∂score/∂leaf, by `grad` or, where the network needs it, `backward()`; None where there is no path between."""
    return gradients_at([leaf], score, classifier)[0]


def gradients_at(leaves: Sequence[Tensor], score: Tensor, classifier: Classifier) -> Sequence[Tensor | None]:
    """`gradient_at` for several leaves at once."""
    if classifier.calling.by_backward:
        for leaf in leaves:
            leaf.grad = None
        score.backward()  # type: ignore[no-untyped-call]
        return [leaf.grad for leaf in leaves]
    return torch.autograd.grad(score, leaves, allow_unused=True)


def retry_adapted(classifier: Classifier, compute: Callable[[], T]) -> T:
    """`compute()`. If its error shows that the network must be called in another way, again in that way: see
    `Classifier.adapt`."""
    while True:
        try:
            return compute()
        except RuntimeError as error:
            if not classifier.adapt(error):
                raise


def finite(values: Tensor) -> Tensor:
    """`values`, or `ComputationFailed` where one is NaN or infinite: such a map must never be shown."""
    # A sum is finite only where all values are, and is quick; where it is not, it may only have overflowed.
    if not bool(torch.isfinite(values.sum())) and not bool(torch.isfinite(values).all()):
        raise ComputationFailed("The result holds values that are not finite (NaN or infinity): no map is shown.")
    return values
