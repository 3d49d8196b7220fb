"""With `graph`, the only place that calls autograd: gradients of a score with respect to pixel values in [0, 1]."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from ..contract.problems import ComputationFailed, OutOfMemory, Refused
from .classifier import Classifier
from .counters import counters
from .layers import captured
from .memory import out_of_memory
from .score import Score

log = logging.getLogger(__name__)
T = TypeVar("T")
MICRO_BATCH = 4  # where nothing was measured


class Rule(Protocol):
    """A change of the backward pass, put on the graph of logits and lifted from it again."""

    def __call__(self, logits: Tensor) -> None: ...

    def lift(self) -> None: ...


class Engine:
    """Scores and gradients of one classifier for one score, micro-batch by micro-batch.

    Nothing is left behind in the model: hooks live inside `with`, rules on the graph of one pass.
    """

    def __init__(self, classifier: Classifier, score: Score, micro_batch: int = MICRO_BATCH) -> None:
        """`micro_batch` is a number of pictures, or 0 for as many as were measured to be quickest."""
        self.classifier, self.score, self._wanted = classifier, score, micro_batch

    @property
    def micro_batch(self) -> int:
        """Pictures in a pass: as wanted, but never more than memory has sufficed for."""
        accelerator = self.classifier.accelerator
        wanted = self._wanted or (accelerator.micro_batch if accelerator else MICRO_BATCH)
        return min(wanted, self.classifier.most or wanted)

    def batches(self, items: Iterable[T]) -> Iterator[list[T]]:
        """`items` in lists of a micro-batch each; lazily, so that a thousand pictures never exist at once."""
        batch = []
        for item in items:
            batch.append(item)
            if len(batch) >= self.micro_batch:
                yield batch
                batch = []
        if batch:
            yield batch

    def place(self, picture: Tensor) -> Tensor:
        """`picture` on the model's device and in its precision."""
        return picture.to(device=self.classifier.device, dtype=self.classifier.dtype)

    def scores(self, pictures: Tensor) -> Tensor:
        """S(x) for each of (N, C, H, W), without a gradient: (N,)."""
        return self._in_parts(pictures, self._scores, gradients=False)

    @torch.no_grad()
    def _scores(self, pictures: Tensor, score: Score) -> Tensor:
        return score(self.classifier(_channels_last(pictures)))

    def gradients(self, pictures: Tensor, rule: Rule | None = None) -> Tensor:
        """g(x) = ∂S/∂x for each of (N, C, H, W); `rule` may change the backward pass on the graph of the logits.

        Raises `ComputationFailed` where a value is not finite, `OutOfMemory` where one picture alone is too much.
        """
        accelerator = self.classifier.accelerator
        if rule is None and accelerator is not None and isinstance(self.score.target, int):
            return finite(self._in_parts(pictures, accelerator.gradients))
        return finite(self._in_parts(pictures, lambda part, score: take_gradients(self.classifier, part, score, rule)))

    def _in_parts(self, pictures: Tensor, compute: Callable[[Tensor, Score], Tensor], gradients: bool = True) -> Tensor:
        """`compute` of all pictures together, or of as many at a time as memory suffices for; that is remembered."""
        parts: list[Tensor] = []
        done = 0
        while done < len(pictures):
            count = min(len(pictures) - done, self.classifier.most or len(pictures))
            rows = slice(done, done + count)
            part = _attempt(compute, pictures[rows], self.score.part(rows))
            if part is not None:
                parts.append(part)
                done += count
                counters.add(count, gradients)
            elif count == 1:
                raise OutOfMemory(
                    "The computation needs more memory than there is. Take a smaller model or input size."
                )
            else:
                self.classifier.most = count // 2
                log.warning(
                    "%s: no memory for %d pictures in a pass, %d from now on", self.classifier.id, count, count // 2
                )
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def features(self, pictures: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        """Feature maps A of a layer and ∂S/∂A for each of (N, C, H, W), both (N, K, h, w).

        The graph starts at the layer, so only what lies above it is differentiated.
        """
        with torch.enable_grad(), captured(self.classifier, layer) as capture:
            score = self.score(self.classifier(_channels_last(pictures))).sum()
            if not score.requires_grad:
                raise Refused(f"The score does not depend on the layer «{layer}». Take another one.")
            (gradient,) = torch.autograd.grad(score, capture.features, allow_unused=True)
            counters.add(len(pictures))
        if gradient is None:
            raise Refused(f"The score does not depend on the layer «{layer}». Take another one.")
        return capture.features.detach().contiguous(), finite(gradient.contiguous())


def take_gradients(classifier: Classifier, pictures: Tensor, score: Score, rule: Rule | None = None) -> Tensor:
    """∂S/∂x for each of (N, C, H, W) by autograd, in one pass."""
    with torch.enable_grad():
        x = _channels_last(pictures.detach()).clone().requires_grad_()
        logits = classifier(x)
        if not logits.requires_grad:
            raise Refused("The logits do not depend on the picture by differentiable steps: there is no gradient.")
        if rule is not None:
            rule(logits)
        (gradient,) = torch.autograd.grad(score(logits).sum(), x)
    return gradient.contiguous()


def _attempt(compute: Callable[[Tensor, Score], Tensor], pictures: Tensor, score: Score) -> Tensor | None:
    """`compute(pictures, score)`; None where memory has run out. The error is gone then, with all that it held."""
    try:
        return compute(pictures, score)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
    if pictures.is_cuda:
        torch.cuda.empty_cache()
    return None


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
    # A sum is finite only where all values are, and is quick; where it is not, it may just have run over.
    if not bool(torch.isfinite(values.sum())) and not bool(torch.isfinite(values).all()):
        raise ComputationFailed("The result holds values that are not finite (NaN or infinity): no map is shown.")
    return values
