"""The base class of metrics, what they take and return, and the registry of all metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

from torch import Tensor

from ..classifier import Classifier
from ..engine import Engine
from ..errors import Refused
from ..methods.base import Diagnostics, Method, Paper, Parameters, Progress
from ..plugins import DEFAULT_ORDER, plugins
from ..registry import PluginFault, Registry
from ..score import Score
from .boxes import Boxes
from .findings import Figures, Findings
from .networks import count_weighted_layers
from .scalars import Scalar


@dataclass(frozen=True)
class MetricCost:
    """A number of evaluations: forward passes alone, and gradients (a forward and a backward pass each).

    `maps` says how many whole maps the metric computes on the way. Their evaluations are already included.
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
    """What the cost of a map and its metrics depends on. Known before the map is computed or the model is loaded."""

    method: Method[Any]
    parameters: Any
    size: tuple[int, int]
    classes: int
    weighted_layers: int | None = None  # how many layers have weights; None before the model is loaded

    @property
    def map_cost(self) -> MetricCost:
        """The cost of one map, as the method declares it."""
        count = self.method.cost(self.parameters, self.size)
        return MetricCost(gradients=count, maps=1) if self.method.differentiates else MetricCost(forwards=count, maps=1)


@dataclass(frozen=True)
class ExplainedMap:
    """A finished map and its origin: `values` is `method`'s map of `picture` in [0, 1]; both (C, H, W).

    The engine's score must be that of one class. `diagnostics` is what the method reported beside the map. `boxes` says
    where in the picture lies what the map should show; None if nobody has said it.
    """

    engine: Engine
    picture: Tensor
    values: Tensor
    method: Method[Any]
    parameters: Any
    seed: int = 0
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    boxes: Boxes | None = None

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
    def cost_inputs(self) -> CostInputs:
        """What the cost of this map and its metrics depends on."""
        weighted_layers = count_weighted_layers(self.classifier)
        return CostInputs(self.method, self.parameters, self.size, len(self.classifier.labels), weighted_layers)


@dataclass(frozen=True)
class Measurement:
    """A metric's result: `figures` are plain numbers and lists; `maps` are maps computed on the way, each (C, H, W)."""

    metric: str
    figures: Mapping[str, Any]
    maps: dict[str, Tensor] = field(default_factory=dict)


MetricSteps = Generator[Progress, None, Measurement]  # yields progress after every micro-batch, returns the result
P = TypeVar("P", bound=Parameters)


class Metric(ABC, Generic[P]):
    """A measure of how far a map can be trusted. To add one, add a folder to this package with a subclass marked
    `@register`, or bring it in a package of your own: docs/plugins.md."""

    id: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[Paper]
    summary: ClassVar[str]
    Parameters: ClassVar[type[Parameters]]
    order: ClassVar[int] = DEFAULT_ORDER  # position in lists that people see; metrics of equal order are sorted by id
    default: ClassVar[bool] = False  # measured if `evaluate` names no metric
    revision: ClassVar[int] = 1  # counted up when equal parameters give other figures: kept ones are out of date
    curve: ClassVar[str] = ""  # «x axis → y axis», if `figures` has `fractions` and `probabilities`
    scalars: ClassVar[tuple[Scalar, ...]] = ()  # the numbers that `evaluate` compares; empty: all figures
    needs_classes: ClassVar[bool] = False  # it asks for probabilities or other classes, which a score alone has not
    of_boxes: ClassVar[bool] = False  # the figures depend on the boxes of the picture, `ExplainedMap.boxes`
    # The network that is evaluated, which decides how long an evaluation takes: the loaded one, a copy that may be
    # changed, or one in float64.
    network: ClassVar[Literal["itself", "copy", "double"]] = "itself"

    @abstractmethod
    def cost(self, cost_inputs: CostInputs, parameters: P) -> MetricCost:
        """Evaluations that measuring needs; an upper bound if `cost_inputs.weighted_layers` is None."""

    def check(self, subject: ExplainedMap, parameters: P) -> None:
        """Raise `Refused` if this map cannot be measured with these parameters."""

    def check_classes(self, subject: ExplainedMap) -> None:
        """Raise `Refused` where the metric needs classes, and the score is none of a class."""
        if self.needs_classes and subject.classifier.scalar is not None:
            raise Refused(
                f"{self.title} needs the probabilities of classes, and «{subject.classifier.scalar}» is a score "
                "without classes. Measure what needs the score alone, such as stability or randomisation."
            )

    @abstractmethod
    def measure(self, subject: ExplainedMap, parameters: P) -> MetricSteps:
        """Measure the map; yields after every micro-batch."""

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        """What the figures say about a map by `method`: (code of the sentence, level, numbers in the sentence)."""
        yield from ()


class Meter:
    """Counts the evaluations that a metric has done, of the total that it declared."""

    def __init__(self, cost: MetricCost) -> None:
        self.done, self.total = 0, cost.total

    def spend(self, count: int) -> Progress:
        """Count `count` evaluations as done."""
        self.done += count
        return self.progress()

    def progress(self) -> Progress:
        return Progress(self.done, self.total)

    def explain(
        self, subject: ExplainedMap, engine: Engine, picture: Tensor | None = None, seed: int | None = None
    ) -> Generator[Progress, None, Tensor]:
        """Compute a map with the subject's method but another engine, picture or seed: its values, (C, H, W)."""
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
            # A method may stop before its declared cost; what it saved counts as done.
            self.done = before + subject.cost_inputs.map_cost.total
            values: Tensor = end.value.values
            return values
        finally:
            steps.close()


# the attributes that a metric must declare
DECLARED = ("id", "title", "paper", "summary", "Parameters")
_registry: Registry[Metric[Any]] = Registry(
    lambda: plugins("metrics"),
    "metric",
    order=lambda metric: metric.id,
    also=", or all",  # ends the list of ids in the message about an unknown one
    declared=DECLARED,
)
M = TypeVar("M", bound=type[Metric[Any]])


def register(metric: M) -> M:
    _registry.register(metric)
    return metric


def metrics() -> dict[str, Metric[Any]]:
    """Every metric by id, in alphabetical order."""
    return _registry.all()


def find_metric(id: str) -> Metric[Any]:
    """The metric with this id. Raises `UnknownName`."""
    return _registry.find(id)


def metric_faults() -> tuple[PluginFault, ...]:
    """The metrics of plug-ins that could not be used, and why."""
    return _registry.faults()
