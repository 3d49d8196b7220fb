"""Which models stay in memory, under a cap of bytes: the least recently used goes first, never one that is in use."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..attribution.backends.selection import BackendSelector
from ..attribution.memory import give_back
from ..contract.problems import OutOfMemory, Problem
from .loader import LoadedModel

PATIENCE = 10.0  # seconds that others may overtake a run that waits for room


@dataclass
class ResidentModel:
    """A model in memory, with its views of other input sizes."""

    model: LoadedModel
    bytes: int
    source: tuple[str, int, int]  # path, time and size of its file: a file that was written anew is another model
    views: OrderedDict[tuple[int, int], LoadedModel] = field(default_factory=OrderedDict)

    @property
    def backends(self) -> list[BackendSelector]:
        """Those of the model and of its views; what they take can go at any time, and the model still works."""
        return [model.backend for model in (self.model, *self.views.values())]

    @property
    def extra(self) -> int:
        """Bytes that the backends take beside the model."""
        return sum(backend.bytes for backend in self.backends)


class ModelMemory:
    """The loaded models by id. Their bytes stay under `cap`; where that is not possible now, `room` says so, and the
    caller tries again later. Whoever computes with a model holds it (`hold`): what is held is never unloaded.

    `bytes_of` tells what a model takes, loaded or not.
    """

    def __init__(self, cap: int, bytes_of: Callable[[str], int]) -> None:
        self.cap, self._bytes_of = cap, bytes_of
        self._loaded: OrderedDict[str, ResidentModel] = OrderedDict()
        self._holders: Counter[str] = Counter()
        self._waiting: OrderedDict[object, float] = OrderedDict()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Ids of the models in memory, the least recently used first."""
        return tuple(self._loaded)

    @property
    def bytes(self) -> int:
        """Memory that the loaded models take, with what makes them quicker."""
        return sum(resident.bytes + resident.extra for resident in self._loaded.values())

    def get(self, model: str) -> ResidentModel | None:
        return self._loaded.get(model)

    def use(self, model: str) -> ResidentModel:
        """A model that is in memory, which is the most recently used now."""
        self._loaded.move_to_end(model)
        return self._loaded[model]

    def add(self, model: str, resident: ResidentModel) -> None:
        self._loaded[model] = resident

    def drop(self, model: str) -> None:
        """Unload a model, where it is loaded."""
        resident = self._loaded.pop(model, None)
        for backend in resident.backends if resident else ():
            backend.release()
        give_back()

    @contextmanager
    def hold(self, models: Iterable[str]) -> Iterator[None]:
        """Within: these models are not unloaded. Take `room` for them first."""
        held = tuple(models)
        self._holders.update(held)
        try:
            yield
        finally:
            self._holders.subtract(held)

    def room(self, models: Iterable[str], asker: object) -> bool:
        """Whether these models can be in memory together now, beside those that are held.

        Where they cannot, `asker` waits in line: others may overtake it for `PATIENCE` seconds, then they wait too.
        Raises `OutOfMemory` where they can never be.
        """
        wanted = dict.fromkeys(models)
        if sum(map(self._bytes_of, wanted)) > self.cap and len(wanted) == 1:
            (model,) = wanted
            raise self.too_big(model, self._bytes_of(model))
        held = {id for id, count in self._holders.items() if count > 0}
        fits = sum(map(self._bytes_of, {**wanted, **dict.fromkeys(held)})) <= self.cap
        now = time.monotonic()
        first = next(iter(self._waiting), None)
        barred = first is not None and first is not asker and now - self._waiting[first] > PATIENCE
        if fits and not barred:
            self._waiting.pop(asker, None)
            return True
        self._waiting.setdefault(asker, now)
        return False

    def leave(self, asker: object) -> None:
        """`asker` waits no longer."""
        self._waiting.pop(asker, None)

    def groups(self, models: Iterable[str]) -> list[list[str]]:
        """`models` in their order, in groups that fit into memory together."""
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
        """Unload models, the least recently used first, until `wanted` bytes more are under the cap.

        Before them goes what only makes them quicker.
        """
        for resident in self._loaded.values():
            if resident.extra and self.bytes + wanted > self.cap:
                for backend in resident.backends:
                    backend.release()
        idle = [id for id in self._loaded if self._holders[id] <= 0]
        while idle and self.bytes + wanted > self.cap:
            self.drop(idle.pop(0))

    def has_room(self, wanted: int) -> bool:
        """Whether `wanted` bytes more are under the cap as it is."""
        return self.bytes + wanted <= self.cap

    def advance_backends(self) -> bool:
        """A step towards the quickest gradients of what is loaded, for an idle moment; whether there are more."""
        backends = [backend for resident in self._loaded.values() for backend in resident.backends]
        return any(backend.advance() for backend in backends)

    def too_big(self, model: str, size: int) -> Problem:
        return OutOfMemory(
            f"{model} takes {size / 2**20:.0f} MiB of memory, and {self.cap / 2**20:.0f} are allowed "
            "for models. Raise GRADOSCOPE_MODEL_BYTES, or take a smaller model.",
            field="model",
        )
