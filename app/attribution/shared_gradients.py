"""Gradients at points of a path that several maps of a picture need, taken once for all of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .backends.backend import Backend
from .classifier import Classifier
from .engine import Engine, NamedPath
from .score import Score

MAX_BYTES = 48 * 2**20  # gradients of one path that are kept for maps that have not come so far yet
Point = tuple[Hashable, float]  # a path's name, and t on it


@dataclass(frozen=True)
class Walk:
    """The points t of a path at which a map takes gradients. Of one picture, paths of the same name are the same."""

    path: Hashable
    points: Sequence[float]

    @property
    def named(self) -> Iterable[Point]:
        return ((self.path, t) for t in self.points)


def count_shared(walks: Iterable[Iterable[Walk]]) -> int:
    """How many gradients less the maps with these walks take together than each alone."""
    users = Counter(point for each in walks for point in {point for walk in each for point in walk.named})
    return sum(count - 1 for count in users.values())


class SharedGradients:
    """What the maps of one picture, score and model have in common. `walks` are those of each user, by its name.

    A gradient that others will ask for too is kept until the last of them has taken it. There is room for `max_bytes` a
    path; who has come far ahead of the others has to wait (`is_ahead`). What finds no room is computed again.
    """

    def __init__(self, walks: Mapping[str, Iterable[Walk]], max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        users: dict[Point, set[str]] = defaultdict(set)  # those who will still ask for it
        for user, each in walks.items():
            for walk in each:
                for point in walk.named:
                    users[point].add(user)
        self._users = {point: those for point, those in users.items() if len(those) > 1}
        self._kept: dict[Point, tuple[Tensor, str]] = {}
        self._bytes: Counter[Hashable] = Counter()

    def take(self, user: str, point: Point) -> tuple[Tensor, str] | None:
        """The gradient at a point, (C, H, W), and the name of the backend that computed it; None if it is not kept."""
        kept = self._kept.get(point)
        if kept is not None:
            self._leave(user, point)
        return kept

    def offer(self, user: str, point: Point, gradient: Tensor, backend: str) -> None:
        """Keep a gradient that `user` has computed, if others need it and there is room."""
        self._leave(user, point)
        room = self._max_bytes - self._bytes[point[0]]
        if self._users.get(point) and point not in self._kept and gradient.nbytes <= room:
            self._kept[point] = gradient.clone(), backend  # a copy, which does not keep the whole pass
            self._bytes[point[0]] += gradient.nbytes

    def is_ahead(self, user: str) -> bool:
        """Whether half of the room on some path is taken, and all that is kept waits for others than `user`.

        The other half is for the pass that each user may be in. Whom a gradient waits for is not ahead, so somebody can
        always go on.
        """
        full = any(2 * taken > self._max_bytes for taken in self._bytes.values())
        return full and not any(user in self._users[point] for point in self._kept)

    def release(self, user: str) -> None:
        """`user` asks for nothing more, finished or not."""
        for point in list(self._users):
            self._leave(user, point)

    def _leave(self, user: str, point: Point) -> None:
        users = self._users.get(point)
        if users is None:
            return
        users.discard(user)
        if not users:
            del self._users[point]
            if (kept := self._kept.pop(point, None)) is not None:
                self._bytes[point[0]] -= kept[0].nbytes


@dataclass(frozen=True)
class GradientSharer:
    """One user of shared gradients."""

    gradients: SharedGradients
    user: str
    classifier: Classifier
    backend: Backend | None
    micro_batch: int

    def engine(self, score: Score) -> Engine:
        """An engine for this user. `score` is that of all users."""
        return SharingEngine(self, score)

    def release(self) -> None:
        """This user is finished, successful or not."""
        self.gradients.release(self.user)


class SharingEngine(Engine):
    """An engine that takes gradients along a path from the other users, where they have computed them."""

    def __init__(self, sharer: GradientSharer, score: Score) -> None:
        super().__init__(sharer.classifier, score, sharer.backend, micro_batch=sharer.micro_batch)
        self._sharer = sharer

    @property
    def is_ahead(self) -> bool:
        return self._sharer.gradients.is_ahead(self._sharer.user)

    def gradients_along(self, path: NamedPath, points: Sequence[float]) -> Tensor:
        """As an `Engine`'s; what others have computed is not computed again."""
        if path.name is None:
            return super().gradients_along(path, points)
        shared, user = self._sharer.gradients, self._sharer.user
        found: dict[float, Tensor] = {}
        for t in points:
            if (kept := shared.take(user, (path.name, t))) is not None:
                found[t], backend = kept
                self._used[backend] = None
        self.shared += len(found)
        missing = [t for t in points if t not in found]
        if missing:
            for t, gradient in zip(missing, super().gradients_along(path, missing), strict=True):
                shared.offer(user, (path.name, t), gradient, next(reversed(self._used)))
                found[t] = gradient
        return torch.stack([found[t] for t in points])
