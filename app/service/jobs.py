"""What the web process asks of an executor, and what comes back. Plain values: they cross process borders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..wire import ScoreKind


@dataclass(frozen=True)
class Explain:
    """One POST /explanations: `id` is the explanation's, `picture` the bytes as they were sent."""

    id: str
    picture: bytes
    models: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    targets: tuple[int, ...] = ()
    against: int | None = None
    score: ScoreKind = "logit"
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Predict:
    """One POST /predictions."""

    picture: bytes
    models: tuple[str, ...] = ()
    top_k: int = 5


@dataclass(frozen=True)
class Labels:
    """The labels of a model's classes."""

    model: str


Job = Explain | Predict | Labels


@dataclass(frozen=True)
class Event:
    """`accepted`, `prediction`, `progress`, `partial`, `panel`, and last `done` (or `result`) or `error`."""

    name: str
    data: dict[str, Any]

    @property
    def final(self) -> bool:
        return self.name in ("done", "result", "error")
