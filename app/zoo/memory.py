"""Decides which models stay in memory, within a limit in bytes: the least recently used is unloaded first."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..attribution.backends.selection import BackendSelector
from ..attribution.memory import release_freed_memory
from ..contract.problems import OutOfMemory, Problem
from .loader import LoadedModel

MAX_OVERTAKE_SECONDS = 10.0  # how long others may overtake a run that waits for memory


@dataclass
class ResidentModel:
    """A model in memory. `views` are the same network at other input sizes."""

    model: LoadedModel
    bytes: int
    version: tuple[str, int, int]  # path, mtime and size of its file: if they change, the model is loaded again
    views: OrderedDict[tuple[int, int], LoadedModel] = field(default_factory=OrderedDict)

    @property
    def backends(self) -> list[BackendSelector]:
        """The backends of the model and of its views. Their memory can be freed at any time; the model still works."""
        return [model.backend for model in (self.model, *self.views.values())]

    @property
    def extra(self) -> int:
        """Bytes that the backends need in addition to the model, for faster gradients."""
        return sum(backend.bytes for backend in self.backends)


class ModelMemory:
    """The loaded models by id. Together they need at most `cap` bytes.

    Before a run computes, it calls `request_room`; if there is none now, it asks again later. While it computes, it
    holds its models with `hold`: a held model is never unloaded. `bytes_of` returns the memory that a model needs,
    loaded or not.
    """

    def __init__(self, cap: int, bytes_of: Callable[[str], int]) -> None:
        self.cap, self._bytes_of = cap, bytes_of
        self._loaded: OrderedDict[str, ResidentModel] = OrderedDict()
        self._holders: Counter[str] = Counter()  # how many runs hold each model
        self._waiting: OrderedDict[object, float] = OrderedDict()  # the queue: since when each asker waits

    @property
    def loaded(self) -> tuple[str, ...]:
        """Ids of the models in memory, the least recently used first."""
        return tuple(self._loaded)

    @property
    def bytes(self) -> int:
        """Memory that the loaded models and their backends need."""
        return sum(resident.bytes + resident.extra for resident in self._loaded.values())

    def get(self, model: str) -> ResidentModel | None:
        return self._loaded.get(model)

    def use(self, model: str) -> ResidentModel:
        """A loaded model. It becomes the most recently used."""
        self._loaded.move_to_end(model)
        return self._loaded[model]

    def add(self, model: str, resident: ResidentModel) -> None:
        self._loaded[model] = resident

    def drop(self, model: str) -> None:
        """Unload a model if it is loaded."""
        resident = self._loaded.pop(model, None)
        for backend in resident.backends if resident else ():
            backend.release()
        release_freed_memory()

    @contextmanager
    def hold(self, models: Iterable[str]) -> Iterator[None]:
        """Inside the `with` block these models are not unloaded. Call `request_room` first."""
        held = tuple(models)
        self._holders.update(held)
        try:
            yield
        finally:
            self._holders.subtract(held)

    def request_room(self, models: Iterable[str], asker: object) -> bool:
        """Whether these models and the held ones fit into memory together now.

        If not, `asker` gets a place in the queue. Others may overtake it for `MAX_OVERTAKE_SECONDS`; then they get
        False too. Raises `OutOfMemory` for a single model that is larger than the cap.
        """
        wanted = dict.fromkeys(models)
        if sum(map(self._bytes_of, wanted)) > self.cap and len(wanted) == 1:
            (model,) = wanted
            raise self.too_large_problem(model, self._bytes_of(model))
        held = {id for id, count in self._holders.items() if count > 0}
        fits = sum(map(self._bytes_of, {**wanted, **dict.fromkeys(held)})) <= self.cap
        now = time.monotonic()
        first = next(iter(self._waiting), None)
        must_wait = first is not None and first is not asker and now - self._waiting[first] > MAX_OVERTAKE_SECONDS
        if fits and not must_wait:
            self._waiting.pop(asker, None)
            return True
        self._waiting.setdefault(asker, now)
        return False

    def withdraw_request(self, asker: object) -> None:
        """`asker` no longer waits: take it out of the queue."""
        self._waiting.pop(asker, None)

    def groups(self, models: Iterable[str]) -> list[list[str]]:
        """Split `models`, in their order, into groups that each fit into memory."""
        groups: list[list[str]] = []
        total = 0
        for model in models:
            size = self._bytes_of(model)
            if not groups or total + size > self.cap:
                groups.append([])
                total = 0
            groups[-1].append(model)
            total += size
        return groups

    def make_room(self, wanted: int) -> None:
        """Free memory until `wanted` more bytes fit under the cap, as far as that is possible.

        The backends' extra memory is freed first, then models are unloaded, the least recently used first.
        """
        for resident in self._loaded.values():
            if resident.extra and self.bytes + wanted > self.cap:
                for backend in resident.backends:
                    backend.release()
        idle = [id for id in self._loaded if self._holders[id] <= 0]
        while idle and self.bytes + wanted > self.cap:
            self.drop(idle.pop(0))

    def has_room(self, wanted: int) -> bool:
        """Whether `wanted` more bytes fit under the cap without unloading anything."""
        return self.bytes + wanted <= self.cap

    def advance_backends(self) -> bool:
        """Do one step of finding the fastest backend of a loaded model; for idle moments. Whether a step was taken."""
        backends = [backend for resident in self._loaded.values() for backend in resident.backends]
        return any(backend.advance() for backend in backends)

    def too_large_problem(self, model: str, size: int) -> Problem:
        return OutOfMemory(
            f"{model} takes {size / 2**20:.0f} MiB of memory, and {self.cap / 2**20:.0f} are allowed "
            "for models. Raise GRADOSCOPE_MODEL_BYTES, or take a smaller model.",
            field="model",
        )
