"""Scores and gradients of many pictures, as many at a time as are quickest and as memory suffices for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from .backends.backend import Backend, EagerBackend
from .backends.batching import MICRO_BATCH
from .captures import ablated, captured
from .classifier import Classifier
from .counters import counters
from .errors import OutOfMemory, Refused
from .gradients import Rule, finite, gradients_at, retry_adapted, take_gradients
from .inspection import Inspection, inspection_of
from .memory import out_of_memory
from .score import Score
from .torch_state import clean_state

log = logging.getLogger(__name__)
T = TypeVar("T")


class NamedPath(Protocol):
    """Pictures by t in [0, 1]. Of one picture, paths of the same name are the same; None: not known to be."""

    @property
    def name(self) -> Hashable | None: ...

    def at(self, t: float) -> Tensor:
        """The picture at t, (C, H, W)."""


class Engine:
    """Scores and gradients of one classifier for one score, micro-batch by micro-batch.

    `backend` is the way to the gradients; without one they are PyTorch's, operation by operation. Nothing is left
    behind in the model: hooks live inside `with`, rules on the graph of one pass.
    """

    def __init__(
        self, classifier: Classifier, score: Score, backend: Backend | None = None, *, micro_batch: int = MICRO_BATCH
    ) -> None:
        """`micro_batch` is a number of pictures, or 0 for as many as were measured to be quickest."""
        self.classifier, self.score, self._wanted = classifier, score, micro_batch
        self.backend: Backend = EagerBackend("plain", classifier) if backend is None else backend
        self._used: dict[str, None] = {}  # names of backends, in the order of their first use
        self.shared = 0  # gradients that were not computed here, since another map of the request had them

    def of(self, score: Score) -> Engine:
        """The same engine for another score."""
        return Engine(self.classifier, score, self.backend, micro_batch=self.micro_batch)

    @property
    def used(self) -> tuple[str, ...]:
        """The names of the backends that have computed gradients so far; «plain» where there are none."""
        return tuple(self._used) or ("plain",)

    @property
    def inspection(self) -> Inspection:
        """The layers and nonlinearities of the classifier."""
        return inspection_of(self.classifier)

    @property
    def micro_batch(self) -> int:
        """Pictures in a pass: as wanted, but never more than memory has sufficed for; 1 where others would change the
        network's answer."""
        if self.classifier.calling.one_by_one:
            return 1
        wanted = self._wanted or self.backend.micro_batch
        return min(wanted, self.backend.max_batch or wanted)

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

    def to_device(self, picture: Tensor) -> Tensor:
        """`picture` on the model's device and in its dtype."""
        return picture.to(device=self.classifier.device, dtype=self.classifier.dtype)

    def scores(self, pictures: Tensor) -> Tensor:
        """S(x) for each of (N, C, H, W), without a gradient: (N,)."""
        return self._in_parts(pictures, self._scores, gradients=False)

    def _scores(self, pictures: Tensor, score: Score) -> Tensor:
        with torch.no_grad():
            return score(
                retry_adapted(self.classifier, lambda: self.classifier(self.classifier.to_memory_format(pictures)))
            )

    def gradients(self, pictures: Tensor, rule: Rule | None = None) -> Tensor:
        """g(x) = ∂S/∂x for each of (N, C, H, W); `rule` may change the backward pass on the graph of the logits.

        Raises `ComputationFailed` where a value is not finite, `OutOfMemory` where one picture alone is too much.
        """
        if rule is None and isinstance(self.score.target, int):
            return finite(self._in_parts(pictures, self._by_backend))
        self._used["plain"] = None
        return finite(self._in_parts(pictures, lambda part, score: take_gradients(self.classifier, part, score, rule)))

    def gradients_along(self, path: NamedPath, points: Sequence[float]) -> Tensor:
        """g at these points of a path, (N, C, H, W): see `gradients`."""
        return self.gradients(torch.stack([path.at(t) for t in points]))

    @property
    def is_ahead(self) -> bool:
        """Whether this engine's user should wait for others, which share its gradients, to come as far."""
        return False

    def _by_backend(self, pictures: Tensor, score: Score) -> Tensor:
        self._used[self.backend.backend_name_for(len(pictures))] = None
        return self.backend.gradients(pictures, score)

    def _in_parts(self, pictures: Tensor, compute: Callable[[Tensor, Score], Tensor], gradients: bool = True) -> Tensor:
        """`compute` of all pictures (or what stands for them, row by row) together, or of as many at a time as memory
        suffices for; that is remembered."""
        parts: list[Tensor] = []
        done = 0
        with clean_state():
            while done < len(pictures):
                count = min(len(pictures) - done, self._most or len(pictures))
                rows = slice(done, done + count)
                part = _attempt(compute, pictures[rows], self.score.part(rows))
                if part is not None:
                    parts.append(part)
                    done += count
                    counters.add(count, gradients)
                    self.backend.note_pass(count)
                elif count == 1:
                    raise OutOfMemory(
                        "The computation needs more memory than there is. Take a smaller model or input size."
                    )
                else:
                    self.backend.note_out_of_memory(count)
                    log.warning(
                        "%s: no memory for %d pictures in a pass, %d from now on", self.classifier.id, count, count // 2
                    )
            return parts[0] if len(parts) == 1 else torch.cat(parts)

    @property
    def _most(self) -> int | None:
        """The most pictures that may be in a pass; None where there is no limit."""
        return 1 if self.classifier.calling.one_by_one else self.backend.max_batch

    def feature_maps(self, picture: Tensor, layers: Sequence[str]) -> tuple[Tensor, dict[str, list[Tensor]]]:
        """S(x) of one picture, (C, H, W), and each layer's outputs, (1, K, h, w), one for each call; no gradient."""
        with clean_state(), torch.no_grad():
            found = retry_adapted(self.classifier, lambda: self._feature_maps(picture[None], layers))
        counters.add(1, gradients=False)
        return found

    def _feature_maps(self, pictures: Tensor, layers: Sequence[str]) -> tuple[Tensor, dict[str, list[Tensor]]]:
        with ExitStack() as contexts:
            captures = {layer: contexts.enter_context(captured(self.classifier, layer)) for layer in layers}
            score = self.score(self.classifier(self.classifier.to_memory_format(pictures)))[0]
        return score, {layer: [call.detach() for call in capture.calls] for layer, capture in captures.items()}

    def ablated_scores(
        self, picture: Tensor, layer: str, calls: Sequence[int], channels: Tensor, *, from_layer: bool = False
    ) -> Tensor:
        """S(x) without each of `channels` (n) of a layer, in these of its calls: (n,), without a gradient.

        `from_layer` computes what lies below the layer once only, for all channels. Not every network allows that: one
        may take the number of pictures from its input.
        """

        found = self.inspection.feature_layers.find(layer)

        def scores(channels: Tensor, score: Score) -> Tensor:
            rows = picture[None].expand(1 if from_layer else len(channels), *picture.shape)
            with torch.no_grad():
                return score(retry_adapted(self.classifier, lambda: logits(rows, channels)))

        def logits(pictures: Tensor, channels: Tensor) -> Tensor:
            with ablated(self.classifier, layer, calls, channels, None if found is None else found.layout):
                rows: Tensor = self.classifier(self.classifier.to_memory_format(pictures), len(channels))
                return rows

        return self._in_parts(channels, scores, gradients=False)

    def features(self, pictures: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        """Feature maps A of a layer and ∂S/∂A for each of (N, C, H, W), both as the layer puts them out: see `Layout`.

        The graph starts at the layer, so only what lies above it is differentiated. Of a layer that is called several
        times they are those of the last call.
        """
        return self.features_of_calls(pictures, layer, (-1,))[0]

    def features_of_calls(self, pictures: Tensor, layer: str, calls: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """`features` of several calls of a layer in a pass, by their numbers."""
        self._used["plain"] = None
        parts = torch.split(pictures, 1 if self._most == 1 else len(pictures))
        found = []
        with clean_state():
            for number, part in enumerate(parts):
                score = self.score.part(slice(number, number + 1)) if len(parts) > 1 else self.score
                found.append(retry_adapted(self.classifier, partial(self._features, part, layer, calls, score)))
            both = [tuple(map(torch.cat, zip(*of_call, strict=True))) for of_call in zip(*found, strict=True)]
            return [(features.contiguous(), finite(gradient.contiguous())) for features, gradient in both]

    def _features(
        self, pictures: Tensor, layer: str, calls: Sequence[int], score: Score
    ) -> list[tuple[Tensor, Tensor]]:
        with captured(self.classifier, layer) as capture:
            total = score(self.classifier(self.classifier.to_memory_format(pictures))).sum()
        leaves = [capture.calls[call] for call in calls]
        gradients: Sequence[Tensor | None] = [None] * len(leaves)
        if total.requires_grad:
            gradients = gradients_at(leaves, total, self.classifier)
            counters.add(len(pictures))
        both = zip(leaves, gradients, strict=True)
        found = [(leaf.detach(), gradient) for leaf, gradient in both if gradient is not None]
        if len(found) < len(leaves):
            raise Refused(f"The score does not depend on the layer «{layer}». Take another one.")
        return found


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
