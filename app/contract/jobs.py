"""The jobs that the web process sends to an executor. Plain values, because they cross processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .arrays import ScoreKind
from .wire import JsonObject

ClassName = int | str  # a class by its index or by its label, which is unique in its model
Quality = Literal["quick", "good", "exact"]  # how exact the maps of a request are, and how much they may cost
Fit = Literal["crop", "pad", "squash"]  # how a picture with another aspect ratio is fitted to the input size


@dataclass(frozen=True)
class Explain:
    """One POST /explanations: `id` is the explanation's, `picture` the bytes as they were sent.

    `owner` is the name of the client's API key: stored results of one owner are never used for another. `score_name`
    is that of a function that makes the score, of networks in memory; empty where the score is `score` of a class.
    `quality` sets parameters of methods that `options` does not set; None: their defaults.
    """

    id: str
    picture: bytes
    models: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    targets: tuple[ClassName | None, ...] = ()  # None means each model's top class
    against: ClassName | None = None
    score: ScoreKind = "logit"
    options: JsonObject = field(default_factory=dict)
    seed: int = 0
    fit: Fit | None = None
    size: tuple[int, int] | None = None
    owner: str = ""
    metrics: tuple[str, ...] = ()
    score_name: str = ""
    quality: Quality | None = None


@dataclass(frozen=True)
class Measure:
    """One POST /explanations/{id}/panels/{panel}/metrics. `request` makes only this panel, with the metrics to
    measure."""

    request: Explain
    panel: str

    @property
    def id(self) -> str:
        """The explanation's."""
        return self.request.id

    @property
    def picture(self) -> bytes:
        return self.request.picture


@dataclass(frozen=True)
class AddMap:
    """One POST /explanations/{id}/maps: `values` is a map (C, H, W) of float32 as .npy, `beside` the id of the panel
    whose model and class it has; empty: the first that has a map."""

    id: str
    values: bytes
    title: str
    beside: str = ""


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
    target: ClassName | None = None  # None is the model's top class
    against: ClassName | None = None
    score: ScoreKind = "logit"
    fit: Fit | None = None
    size: tuple[int, int] | None = None
    owner: str = ""


@dataclass(frozen=True)
class RunExperiment:
    """One POST /experiments/{id}: an experiment of the lab, by its id, with parameters as JSON has them."""

    experiment: str
    parameters: JsonObject = field(default_factory=dict)
    seed: int = 0
    owner: str = ""


@dataclass(frozen=True)
class Estimate:
    """What methods with these options, and metrics of their maps, would cost on a model."""

    model: str
    methods: tuple[str, ...] = ()
    options: JsonObject = field(default_factory=dict)
    size: tuple[int, int] | None = None
    metrics: tuple[str, ...] = ()
    timed: bool = True  # whether a throughput that is not known yet is measured first
    quality: Quality | None = None


@dataclass(frozen=True)
class Labels:
    """The labels of a model's classes."""

    model: str


@dataclass(frozen=True)
class Locate:
    """Where a model's weights are; the answer is `{"file": WeightFile, "ready": bool}`."""

    model: str


@dataclass(frozen=True)
class Refresh:
    """Read cards and weights again: something changed on disk."""


Job = Explain | Measure | AddMap | Predict | Flow | RunExperiment | Estimate | Labels | Locate | Refresh
