"""What a metric is: it declares itself, its parameters and its cost once, and measures how far a map can be trusted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

from torch import Tensor

from ..classifier import Classifier
from ..engine import Engine
from ..methods.base import Diagnostics, Method, Paper, Parameters, Progress
from ..plugins import LAST, plugins
from ..registry import PluginFault, Registry
from ..score import Score
from .findings import Figures, Findings
from .networks import weighing
from .scalars import Scalar


@dataclass(frozen=True)
class MetricCost:
    """Evaluations of one picture: forward passes alone, and gradients (a forward and a backward pass).

    `maps` of them are whole maps by the method: what those take is counted with the others.
    """

    forwards: int = 0
    gradients: int = 0
    maps: int = 0

    def __add__(self, other: MetricCost) -> MetricCost:
        return MetricCost(self.forwards + other.forwards, self.gradients + other.gradients, self.maps + other.maps)

    def __mul__(self, count: int) -> MetricCost:
        return MetricCost(self.forwards * count, self.gradients * count, self.maps * count)

    @property
    def total(self) -> int:
        return self.forwards + self.gradients

    def to_dict(self) -> dict[str, int]:
        return {"forwards": self.forwards, "gradients": self.gradients}


@dataclass(frozen=True)
class CostInputs:
    """What costs depend on; known before a map, or even its model, is there."""

    method: Method[Any]
    parameters: Any
    size: tuple[int, int]
    classes: int
    layers: int | None = None  # that hold weights; None: not known before the model is loaded

    @property
    def map_cost(self) -> MetricCost:
        """What one more map costs, as the method declares it."""
        count = self.method.cost(self.parameters, self.size)
        return MetricCost(gradients=count, maps=1) if self.method.differentiates else MetricCost(forwards=count, maps=1)


@dataclass(frozen=True)
class ExplainedMap:
    """A finished map with all that it was made of: `values` (C, H, W) by `method` of `picture` (C, H, W) in [0, 1].

    The engine's score must be of one class. `diagnostics` are what was told beside the map.
    """

    engine: Engine
    picture: Tensor
    values: Tensor
    method: Method[Any]
    parameters: Any
    seed: int = 0
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    @property
    def classifier(self) -> Classifier:
        return self.engine.classifier

    @property
    def score(self) -> Score:
        return self.engine.score

    @property
    def target(self) -> int:
        target = self.score.target
        if not isinstance(target, int):
            raise ValueError("a map is judged for one class")
        return target

    @property
    def size(self) -> tuple[int, int]:
        return self.picture.shape[-2], self.picture.shape[-1]

    @property
    def outline(self) -> CostInputs:
        layers = weighing(self.classifier)
        return CostInputs(self.method, self.parameters, self.size, len(self.classifier.labels), layers)


@dataclass(frozen=True)
class Measurement:
    """What a metric found: `figures` are plain numbers and lists, `maps` the maps made on the way, each (C, H, W)."""

    metric: str
    figures: Mapping[str, Any]
    maps: dict[str, Tensor] = field(default_factory=dict)


Measuring = Generator[Progress, None, Measurement]
P = TypeVar("P", bound=Parameters)


class Metric(ABC, Generic[P]):
    """A measure of a map. To add one, add a folder to this package with a subclass marked `@register`, or bring it in
    a package of your own: docs/plugins.md."""

    id: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[Paper]
    summary: ClassVar[str]
    Parameters: ClassVar[type[Parameters]]
    order: ClassVar[int] = LAST  # in lists for people; those of one order by their ids
    default: ClassVar[bool] = False  # measured by an evaluation that names no metric
    curve: ClassVar[str] = ""  # what is drawn across and up, where `figures` has `fractions` and `probabilities`
    scalars: ClassVar[tuple[Scalar, ...]] = ()  # the numbers that an evaluation compares; none: every figure
    network: ClassVar[Literal["itself", "copy", "double"]] = "itself"  # what is evaluated: sets the pace

    @abstractmethod
    def cost(self, outline: CostInputs, parameters: P) -> MetricCost:
        """Evaluations that measuring needs; the most that may be where the outline does not say."""

    def check(self, subject: ExplainedMap, parameters: P) -> None:
        """Raise `Refused` where this map cannot be measured so."""

    @abstractmethod
    def measure(self, subject: ExplainedMap, parameters: P) -> Measuring:
        """Measure; yields after every micro-batch."""

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        """What the figures say of a map by `method`: (code, level, values), the sentences' codes and their numbers."""
        yield from ()


class Meter:
    """How much of a metric's cost is spent; runs methods on the way."""

    def __init__(self, cost: MetricCost) -> None:
        self.done, self.total = 0, cost.total

    def spend(self, count: int) -> Progress:
        self.done += count
        return self.progress()

    def progress(self) -> Progress:
        return Progress(self.done, self.total)

    def explain(
        self, subject: ExplainedMap, engine: Engine, picture: Tensor | None = None, seed: int | None = None
    ) -> Generator[Progress, None, Tensor]:
        """The map of the subject's method by another engine, of another picture or with another seed: (C, H, W)."""
        steps = subject.method.attribute(
            engine,
            subject.picture if picture is None else picture,
            subject.parameters,
            subject.seed if seed is None else seed,
        )
        before = self.done
        try:
            while True:
                self.done = before + next(steps).done
                yield Progress(self.done, self.total)
        except StopIteration as end:
            self.done = before + subject.outline.map_cost.total  # it may have stopped early
            values: Tensor = end.value.values
            return values
        finally:
            steps.close()


DECLARED = ("id", "title", "paper", "summary", "Parameters")
_registry: Registry[Metric[Any]] = Registry(
    lambda: plugins("metrics"), "metric", order=lambda metric: metric.id, also=", or all", declared=DECLARED
)
M = TypeVar("M", bound=type[Metric[Any]])


def register(metric: M) -> M:
    _registry.register(metric)
    return metric


def metrics() -> dict[str, Metric[Any]]:
    """Every metric by id, in alphabetical order."""
    return _registry.all()


def find_metric(id: str) -> Metric[Any]:
    """The metric of that id. Raises `UnknownName`."""
    return _registry.find(id)


def metric_faults() -> tuple[PluginFault, ...]:
    """The metrics of other distributions that are left out."""
    return _registry.faults()
