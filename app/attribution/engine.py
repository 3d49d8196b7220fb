"""With `graph`, the only place that calls autograd: gradients of a score with respect to pixel values in [0, 1]."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from ..errors import ComputationFailed, Refused
from ..zoo.classifier import Classifier
from .layers import captured
from .score import Score

T = TypeVar("T")


class Rule(Protocol):
    """A change of the backward pass, put on the graph of logits and lifted from it again."""

    def __call__(self, logits: Tensor) -> None: ...

    def lift(self) -> None: ...


class Engine:
    """Scores and gradients of one classifier for one score, micro-batch by micro-batch.

    Nothing is left behind in the model: hooks live inside `with`, rules on the graph of one pass.
    """

    def __init__(self, classifier: Classifier, score: Score, micro_batch: int = 4) -> None:
        self.classifier, self.score, self.micro_batch = classifier, score, micro_batch

    def batches(self, items: Iterable[T]) -> Iterator[list[T]]:
        """`items` in lists of a micro-batch each; lazily, so that a thousand pictures never exist at once."""
        batch = []
        for item in items:
            batch.append(item)
            if len(batch) == self.micro_batch:
                yield batch
                batch = []
        if batch:
            yield batch

    def place(self, picture: Tensor) -> Tensor:
        """`picture` on the model's device and in its precision."""
        return picture.to(device=self.classifier.device, dtype=self.classifier.dtype)

    @torch.no_grad()
    def scores(self, pictures: Tensor) -> Tensor:
        """S(x) for each of (N, C, H, W), without a gradient: (N,)."""
        return self.score(self.classifier(_channels_last(pictures)))

    def gradients(self, pictures: Tensor, rule: Rule | None = None) -> Tensor:
        """g(x) = ∂S/∂x for each of (N, C, H, W); `rule` may change the backward pass on the graph of the logits.

        Raises `ComputationFailed` where a value is not finite.
        """
        with torch.enable_grad():
            x = _channels_last(pictures.detach()).clone().requires_grad_()
            logits = self.classifier(x)
            if not logits.requires_grad:
                raise Refused("The logits do not depend on the picture by differentiable steps: there is no gradient.")
            if rule is not None:
                rule(logits)
            (gradient,) = torch.autograd.grad(self.score(logits).sum(), x)
        return finite(gradient.contiguous())

    def features(self, pictures: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        """Feature maps A of a layer and ∂S/∂A for each of (N, C, H, W), both (N, K, h, w).

        The graph starts at the layer, so only what lies above it is differentiated.
        """
        with torch.enable_grad(), captured(self.classifier, layer) as capture:
            score = self.score(self.classifier(_channels_last(pictures))).sum()
            if not score.requires_grad:
                raise Refused(f"The score does not depend on the layer «{layer}». Take another one.")
            (gradient,) = torch.autograd.grad(score, capture.features, allow_unused=True)
        if gradient is None:
            raise Refused(f"The score does not depend on the layer «{layer}». Take another one.")
        return capture.features.detach().contiguous(), finite(gradient.contiguous())


def generator(seed: int, *names: int | str) -> torch.Generator:
    """A CPU generator of its own for each of `names`, such as a sample's number.

    So what is drawn does not depend on micro-batch, device or retry.
    """
    digest = hashlib.sha256(",".join(map(str, (seed, *names))).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4]))


def noise(seed: int, index: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise of sample `index`."""
    return torch.randn(shape, generator=generator(seed, index))


def _channels_last(pictures: Tensor) -> Tensor:
    return pictures.contiguous(memory_format=torch.channels_last)


def finite(values: Tensor) -> Tensor:
    """`values`, or `ComputationFailed` where one is NaN or infinite: such a map must never be shown."""
    if not bool(torch.isfinite(values).all()):
        raise ComputationFailed("The result holds values that are not finite (NaN or infinity): no map is shown.")
    return values
