"""What the web process asks of an executor. Plain values: they cross process borders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .arrays import ScoreKind
from .wire import JsonObject

Fit = Literal["crop", "pad", "squash"]  # how a picture of another aspect is brought to the input size


@dataclass(frozen=True)
class Explain:
    """One POST /explanations: `id` is the explanation's, `picture` the bytes as they were sent.

    `owner` names the API key that asks: what is kept of one is nothing that another is answered from.
    """

    id: str
    picture: bytes
    models: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    targets: tuple[int | None, ...] = ()  # None is each model's top class
    against: int | None = None
    score: ScoreKind = "logit"
    options: JsonObject = field(default_factory=dict)
    seed: int = 0
    fit: Fit | None = None
    size: tuple[int, int] | None = None
    owner: str = ""
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measure:
    """One POST /explanations/{id}/panels/{panel}/metrics: `question` is the one that has made this panel alone, with
    the metrics asked for now."""

    question: Explain
    panel: str

    @property
    def id(self) -> str:
        """The explanation's."""
        return self.question.id

    @property
    def picture(self) -> bytes:
        return self.question.picture


@dataclass(frozen=True)
class Predict:
    """One POST /predictions."""

    picture: bytes
    models: tuple[str, ...] = ()
    top_k: int = 5
    fit: Fit | None = None
    size: tuple[int, int] | None = None
    owner: str = ""


@dataclass(frozen=True)
class Flow:
    """One POST /gradient-flows."""

    picture: bytes
    model: str = ""
    target: int | None = None  # None is the model's top class
    against: int | None = None
    score: ScoreKind = "logit"
    fit: Fit | None = None
    size: tuple[int, int] | None = None
    owner: str = ""


@dataclass(frozen=True)
class Estimate:
    """What methods with these options, and metrics of their maps, would cost on a model."""

    model: str
    methods: tuple[str, ...] = ()
    options: JsonObject = field(default_factory=dict)
    size: tuple[int, int] | None = None
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Labels:
    """The labels of a model's classes."""

    model: str


@dataclass(frozen=True)
class Locate:
    """Where the weights of a model can be had."""

    model: str


@dataclass(frozen=True)
class Refresh:
    """Look again at cards and weights: something changed on disk."""


Job = Explain | Measure | Predict | Flow | Estimate | Labels | Locate | Refresh
