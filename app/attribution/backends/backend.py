"""Backends compute a classifier's gradients; a trial runs a new one beside the one in use."""

from __future__ import annotations

import logging
import math
import time
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ..classifier import Classifier
from ..gradients import take_gradients
from ..score import Score
from .batching import MICRO_BATCH, SIZES

log = logging.getLogger(__name__)
# Relative L2 errors, over a batch, between two correct backends: rounding in float32 can put the input of a ReLU on the
# other side of its kink.
MAX_MEDIAN_ERROR, MAX_ERROR = 1e-2, 1e-1
ROUNDS = 3
CLEARLY = 0.8  # of the old backend's quickest pass: one whose slowest takes less is quicker, whatever else runs beside
PATIENCE = 32, 1024  # full passes after which more pictures are tried again: after the first time, and at most


class Backend(ABC):
    """Computes gradients; `name` is for people, `sizes` are micro-batches to choose from.

    `max_batch` is how many pictures memory suffices for in a pass; None where there is no limit. Where memory has run
    out it is halved, and doubled again after some passes: somebody else may have used the memory for a while. It never
    exceeds `ceiling`, which was known before.
    """

    name: str
    sizes: tuple[int, ...]
    max_batch: int | None = None
    ceiling: int | None = None
    _patience, _passes_left = PATIENCE[0], 0  # none are left where memory has not run out
    _tries_more = False  # whether the limit was raised, and no pass has shown yet that memory suffices

    @property
    def micro_batch(self) -> int:
        """Pictures in a pass, where nothing else is wanted."""
        return self.sizes[0]

    def backend_name_for(self, count: int) -> str:
        """The name of the backend that a pass of so many pictures would be computed by."""
        return self.name

    def note_out_of_memory(self, count: int) -> None:
        """Memory did not suffice for a pass of so many pictures. After a try in vain, twice as many go by till the next
        one."""
        if self._tries_more:
            self._patience = min(2 * self._patience, PATIENCE[1])
        self._tries_more, self._passes_left, self.max_batch = False, self._patience, count // 2

    def note_pass(self, count: int) -> None:
        """Memory sufficed for a pass of so many pictures."""
        if not self._passes_left or self.max_batch is None or count < self.max_batch:
            return
        self._tries_more = False
        self._passes_left -= 1
        if not self._passes_left:
            most, self.max_batch, self._tries_more = self.ceiling or max(self.sizes), 2 * self.max_batch, True
            if self.max_batch < most:
                self._passes_left = self._patience
            else:
                self.max_batch = self.ceiling

    @abstractmethod
    def gradients(self, pictures: Tensor, score: Score) -> Tensor:
        """∂S/∂x for each of (N, C, H, W)."""


class EagerBackend(Backend):
    """By PyTorch, operation by operation."""

    def __init__(self, name: str, classifier: Classifier) -> None:
        self.name, self.classifier = name, classifier
        self.sizes: tuple[int, ...] = SIZES[classifier.device.type == "cuda"]

    @property
    def micro_batch(self) -> int:
        return MICRO_BATCH

    def gradients(self, pictures: Tensor, score: Score) -> Tensor:
        return take_gradients(self.classifier, pictures, score)


class BackendTrial:
    """A new backend beside the old one, on the same pictures. At the end `better` is the new one, or None.

    Its gradients must agree in every round. Where there are several rounds, its quickest pass must not be slower; if
    both of two passes are quicker by far, there is no third.
    """

    def __init__(self, old: Backend, new: Backend, rounds: int = ROUNDS) -> None:
        self._old, self.new, self._left = old, new, rounds
        self._seconds: tuple[list[float], list[float]] = ([], [])
        self.better: Backend | None = None
        self.seconds = math.inf  # of the new backend's quickest pass, per picture
        self.ended = False

    @property
    def size(self) -> int:
        """Pictures to try it on."""
        return self.new.sizes[0]

    def suits(self, count: int) -> bool:
        """Whether a pass of so many pictures compares the speeds fairly: not with a partly empty compiled batch."""
        return len(self.new.sizes) > 1 or count % self.size == 0

    def run(self, pictures: Tensor, score: Score) -> Tensor:
        """The old backend's gradients."""
        expected, old_seconds = timed(self._old, pictures, score)
        try:
            given, new_seconds = timed(self.new, pictures, score)
        except Exception as error:
            self._give_up(f"{type(error).__name__}: {first_line(error)}")
            return expected
        for seconds, value in zip(self._seconds, (old_seconds, new_seconds), strict=True):
            seconds.append(value)
        self.seconds = min(self.seconds, new_seconds / len(pictures))
        self._left -= 1
        if not agree(given, expected):
            self._give_up("its gradients are off")
        elif not self._left or self._clear:
            self._decide()
        return expected

    @property
    def _clear(self) -> bool:
        """Whether no further round can change that the new one is quicker."""
        old, new = self._seconds
        return len(old) > 1 and max(new) < CLEARLY * min(old)

    def _decide(self) -> None:
        old, new = map(min, self._seconds)
        if len(self._seconds[0]) > 1 and new > old:
            self._give_up(f"slower, {new:.3f} s instead of {old:.3f}")
        else:
            self.ended, self.better = True, self.new

    def _give_up(self, reason: str) -> None:
        self.ended = True
        log.info("the backend «%s» is not used: %s", self.new.name, reason)


def agree(given: Tensor, expected: Tensor) -> bool:
    """Whether two backends' gradients of a batch are the same except for rounding."""
    given, expected = given.double().flatten(1), expected.double().flatten(1)
    if not bool(torch.isfinite(given).all()):
        return False
    off = (given - expected).norm(dim=1)
    errors = (off / expected.norm(dim=1))[off > 0]
    return not len(errors) or (float(errors.median()) <= MAX_MEDIAN_ERROR and float(errors.max()) <= MAX_ERROR)


def first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")[:200]


def timed(backend: Backend, pictures: Tensor, score: Score) -> tuple[Tensor, float]:
    """Gradients, and the seconds that they took."""
    began = time.perf_counter()
    found = backend.gradients(pictures, score)
    if found.is_cuda:
        torch.cuda.synchronize(found.device)
    return found, time.perf_counter() - began
