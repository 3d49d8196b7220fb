"""The quickest backend whose gradients are correct for a classifier: found on the first micro-batches, and kept."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

from torch import Tensor

from ..classifier import Classifier
from ..memory import size_of
from ..score import Score
from ..torch_state import clean_state
from .backend import Backend, BackendTrial, EagerBackend, first_line, timed
from .batching import MAX_SECONDS, BatchSizes, count_saved_bytes
from .compiled import MEMORY_FACTOR, STREAMS, CompiledBackend, available
from .folding import fold_batch_norm, folded_bytes

log = logging.getLogger(__name__)
BATCH = 2  # pictures in a pass of a compiled graph; two passes run at once, which is quicker with 2 than with 1, 4 or 5
PREPARE_PASSES = 16  # of `prepare`: they are enough for all trials
Kind = Literal["auto", "pytorch", "none"]  # folded and compiled, folded only, or the network as it is written


class BackendSelector(Backend):
    """Gradients of one classifier for pictures of one size, by the quickest backend that is correct.

    It begins with the network as it is written. Each further backend is tried beside the one in use, on real
    micro-batches. What they return comes from the backend in use, so a trial spoils no result, and delays it only by
    its own time. A backend that is wrong, slower, or out of memory is not used, with a line in the log.
    """

    def __init__(
        self,
        classifier: Classifier,
        kind: Kind,
        has_room: Callable[[int], bool],
        batch_bytes: int | None = None,
        base: BackendSelector | None = None,
    ) -> None:
        """`has_room` says whether so many bytes more fit beside the models; a micro-batch that needs more
        than `batch_bytes` is made smaller; `base` is the selector of the same network for another size, with which it
        shares folded weights.
        """
        self.classifier, self.kind, self._has_room, self._batch_bytes = classifier, kind, has_room, batch_bytes
        self._base = base
        self.release()

    def release(self) -> None:
        """Give back all memory beside the classifier's own, and begin anew."""
        self.backend: Backend = EagerBackend("plain", self.classifier)
        self.partial_batch_backend: Backend = self.backend  # for fewer pictures than a batch of `backend`
        self._sizes = BatchSizes(self.backend.sizes)
        self._trial: BackendTrial | None = None
        self._folded: Classifier | None = None
        self._build: Build | None = None
        self._open = self.kind != "none"  # whether further backends are still to be tried

    @property
    def name(self) -> str:  # type: ignore[override]
        """Those of the backend in use."""
        return self.backend.name

    def backend_name_for(self, count: int) -> str:
        return self._backend_for(count).name

    @property
    def sizes(self) -> tuple[int, ...]:  # type: ignore[override]
        """Those of the backend in use."""
        return self.backend.sizes

    @property
    def micro_batch(self) -> int:
        """Pictures in a pass: the size to try next, or the best."""
        return self._trial.size if self._trial is not None else self._sizes.next

    @property
    def seconds(self) -> float | None:
        """The quickest pass of the backend in use, per picture; None before the first."""
        return self._sizes.seconds

    @property
    def bytes(self) -> int:
        """What it takes beside the classifier."""
        own = self._folded is not None and not (self._base and self._base.shares(self._folded))
        folded = folded_bytes(self.classifier) if own else 0
        return folded + (MEMORY_FACTOR * size_of(self.classifier) if self._build is not None else 0)

    def gradients(self, pictures: Tensor, score: Score) -> Tensor:
        """∂S/∂x for each of (N, C, H, W)."""
        if self._batch_bytes is not None:
            return self._first_pass(pictures, score)
        if self.classifier.calling.one_by_one:  # other backends would compute several pictures in a pass
            return self._run(pictures, score)
        if self._open and self._trial is None:
            self._trial = self._next_trial()
        if self._trial is None or not self._trial.suits(len(pictures)):
            return self._run(pictures, score)
        found = self._trial.run(pictures, score)
        if self._trial.ended:
            self._conclude(self._trial)
            self._trial = None
        return found

    def begin(self, seconds: float) -> None:
        """Begin to compile now, in the background, beside what else there is to do: for a model that will soon be asked
        for. `seconds` is what a picture takes in a pass so far. Does nothing where it takes long: then a compiled pass
        has fewer pictures, and `gradients` compiles when that is known better.
        """
        if not self._open or self.classifier.calling.one_by_one or seconds * BATCH * STREAMS > MAX_SECONDS:
            return
        if self._trial is None:
            self._trial = self._next_trial()
        if self._folded is not None and self._build is None:
            self._build = self._compile(self._folded)

    @property
    def begun(self) -> bool:
        """Whether a compiled backend is in the making, or made."""
        return self._build is not None

    def settle(self, seconds: float) -> None:
        """End the trials of what `begin` has begun, on `noise_pictures`, if it is compiled within `seconds`."""
        if self._build is not None:
            self._build.wait(seconds)
            while self._build is not None and self._build.finished and self.advance():
                pass

    def prepare(self) -> None:
        """Find the quickest backend and the best micro-batch now, on `noise_pictures`."""
        for _ in range(PREPARE_PASSES):
            if self._build is not None:
                self._build.wait()
            with clean_state():
                self.gradients(self.classifier.noise_pictures(self.micro_batch), Score(0))

    def advance(self) -> bool:
        """Continue the trials on `noise_pictures`, while the worker is idle. False if there is nothing to continue."""
        if self._build is None or not (self._open or self._trial):
            return False
        if self._build.finished:
            try:
                if self._trial is None:
                    self._trial = self._next_trial()  # now, for it says how many pictures it is tried on
                with clean_state():
                    self.gradients(self.classifier.noise_pictures(self.micro_batch), Score(0))
            except Exception as error:  # nobody asked for these gradients
                log.info("%s: no further backend (%s: %s)", self.classifier.id, type(error).__name__, first_line(error))
                self._open, self._trial, self._build = False, None, None
        return True

    def _run(self, pictures: Tensor, score: Score) -> Tensor:
        backend = self._backend_for(len(pictures))
        found, seconds = timed(backend, pictures, score)
        if backend is self.backend:
            self._sizes.note(len(pictures), seconds)
        return found

    def _backend_for(self, count: int) -> Backend:
        """The backend for so many pictures."""
        return self.backend if count >= self.backend.sizes[0] else self.partial_batch_backend

    def _next_trial(self) -> BackendTrial | None:
        if self._folded is None:
            self._folded = self._fold()
            self._open = self._folded is not None
            if self._folded is None:
                return None
            return BackendTrial(self.backend, EagerBackend("folded", self._folded), rounds=1)
        if self._build is None:
            self._build = self._compile(self._folded)
            self._open = self._build is not None
        elif self._build.finished:
            self._open = False
            if self._build.backend is not None:
                return BackendTrial(self.backend, self._build.backend)
            self._build = None
        return None

    def _conclude(self, trial: BackendTrial) -> None:
        """Use the new backend if it is better; else give it up, and what would have been built on it."""
        compiled = self._build is not None and trial.new is self._build.backend
        if trial.better is not None:
            self.backend, self._sizes = trial.better, BatchSizes(trial.better.sizes)
            self._sizes.note(trial.size, trial.seconds * trial.size)
            if not compiled:
                self.partial_batch_backend = self.backend
        elif compiled:
            self._build = None
        else:
            self._folded, self._build, self._open = None, None, False

    def shares(self, folded: Classifier) -> bool:
        """Whether it works with the same folded weights."""
        return self._folded is not None and self._folded.network is folded.network

    def _fold(self) -> Classifier | None:
        if self._base is not None and self._base._folded is not None:
            return self._base._folded.view(self.classifier.size)
        if not self._has_room(folded_bytes(self.classifier)):
            log.info("%s: no room for folded weights", self.classifier.id)
            return None
        try:
            return fold_batch_norm(self.classifier)
        except Exception as error:  # any reason why a network cannot be copied
            log.info("%s: cannot be copied (%s: %s)", self.classifier.id, type(error).__name__, first_line(error))
            return None

    def _compile(self, folded: Classifier) -> Build | None:
        if self.kind != "auto" or not available(self.classifier):
            return None
        if not self._has_room(MEMORY_FACTOR * size_of(self.classifier)):
            log.info("%s: no room for a compiled gradient", self.classifier.id)
            return None
        return Build(folded, 1 if (self._sizes.seconds or 0) * BATCH * STREAMS > MAX_SECONDS else BATCH)

    def _first_pass(self, pictures: Tensor, score: Score) -> Tensor:
        """Gradients, with the memory that a picture takes measured: it limits the pictures of later passes."""
        with count_saved_bytes(self.classifier) as saved:
            found = self.backend.gradients(pictures, score)
        assert self._batch_bytes is not None
        most = max(1, self._batch_bytes * len(pictures) // max(1, saved.bytes))
        self.ceiling, self.max_batch = most, min(most, self.max_batch or most)
        self._batch_bytes = None
        return found


def prepared(classifier: Classifier, kind: Kind = "auto") -> BackendSelector:
    """A selector whose trials are over, without a limit of memory."""
    backend = BackendSelector(classifier, kind, lambda size: True)
    backend.prepare()
    return backend


class Build:
    """A compiled backend in the making, in a thread of its own: nobody waits for it."""

    _lock = threading.Lock()  # one graph is compiled at a time

    def __init__(self, classifier: Classifier, batch: int) -> None:
        """`classifier` is to be nobody else's: it must not change meanwhile, nor have hooks."""
        self.backend: Backend | None = None
        self._thread = threading.Thread(target=self._make, args=(classifier, batch), name="compile")
        self._thread.start()

    @property
    def finished(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, seconds: float | None = None) -> None:
        """Until it is finished, but no longer than `seconds`."""
        self._thread.join(seconds)

    def _make(self, classifier: Classifier, batch: int) -> None:
        with self._lock:
            began = time.perf_counter()
            try:
                self.backend = CompiledBackend(classifier, batch)
            except Exception as error:  # it is for speed only
                log.info("%s: no compiled gradient (%s: %s)", classifier.id, type(error).__name__, first_line(error))
            else:
                log.info("%s: gradient compiled in %.1f s", classifier.id, time.perf_counter() - began)
