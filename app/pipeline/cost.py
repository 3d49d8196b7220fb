"""What a map and its metrics cost: evaluations, work, weight and seconds, counted here for every command and job.

Four units, from what methods and metrics declare of themselves:

- evaluations: passes of one picture through the network, forward alone or as a gradient (forward and backward)
- work: evaluations × pixels of the input, which bounds a request (`GRADOSCOPE_MAX_WORK`)
- weight: forward passes that evaluations take as long as, which moves a progress bar
- seconds: evaluations by the throughput that was measured on this machine (`Throughput`); None before
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..attribution.backends.selection import BackendSelector
from ..attribution.classifier import Classifier
from ..attribution.methods.base import Method, Parameters
from ..attribution.metrics.base import CostInputs, Metric, MetricCost
from ..attribution.metrics.networks import count_weighted_layers
from .throughput import Size, Throughput

BACKWARD = 2  # forward passes that a backward pass takes as long as
MIN_TIMED_EVALUATIONS = 8  # evaluations that a map needs for its time to count as a measurement of throughput
MAP_KEY = ("gradients",)  # the key of a map's throughput
# the key of a throughput, and how many evaluations of that kind a metric takes
Component = tuple[tuple[str, ...], int]


def progress_weight(cost: MetricCost) -> int:
    """How long evaluations take, in forward passes: what they count in a progress bar."""
    return cost.forwards + (1 + BACKWARD) * cost.gradients


@dataclass(frozen=True)
class PanelCost:
    """What a map costs, and each metric of it by its id, for inputs of `size`."""

    map: MetricCost
    metrics: dict[str, MetricCost]
    size: Size

    @property
    def measuring(self) -> int:
        """Evaluations of all metrics."""
        return sum(cost.total for cost in self.metrics.values())

    @property
    def work(self) -> int:
        return (self.map.total + self.measuring) * self.size[0] * self.size[1]

    @property
    def progress_weight(self) -> int:
        return progress_weight(self.map) + sum(map(progress_weight, self.metrics.values()))


def inputs_of(method: Method[Any], parameters: Parameters, classifier: Classifier) -> CostInputs:
    """What the costs of a map and its metrics depend on, where the model is loaded."""
    return CostInputs(method, parameters, classifier.size, len(classifier.labels), count_weighted_layers(classifier))


def panel_cost(inputs: CostInputs, measured: Iterable[tuple[Metric[Any], Parameters]]) -> PanelCost:
    """The cost of a map and of these metrics of it."""
    metrics = {metric.id: metric.cost(inputs, parameters) for metric, parameters in measured}
    return PanelCost(inputs.map_cost, metrics, inputs.size)


def map_key(method: Method[Any]) -> tuple[str, ...]:
    """The key of a map's throughput. A method without gradients has one of its own: what its passes take has little to
    do with a gradient's time, nor with another such method's."""
    return MAP_KEY if method.differentiates else ("map", method.id)


def map_seconds(
    throughput: Throughput, model: str, cost: MetricCost, size: Size, key: tuple[str, ...] = MAP_KEY
) -> float | None:
    """What a map will take, by the throughput of the last ones of its key, or else of gradients, of which a forward
    pass alone is a third; None before the first."""
    seconds = throughput.seconds(model, key, cost.total, size)
    gradients = cost.gradients + cost.forwards / (1 + BACKWARD)
    return throughput.seconds(model, MAP_KEY, gradients, size) if seconds is None else seconds


def record_map_time(
    throughput: Throughput,
    model: str,
    cost: MetricCost,
    seconds: float,
    size: Size,
    key: tuple[str, ...] = MAP_KEY,
    backend: str = "",
) -> None:
    """Learn a model's throughput from a map that took `seconds`; one of few evaluations says too little."""
    if cost.total >= MIN_TIMED_EVALUATIONS:
        throughput.record(model, key, seconds, cost.total, size, backend)


def record_backend_time(throughput: Throughput, model: str, backend: BackendSelector, size: Size) -> None:
    """Learn a model's throughput from passes of the backend in use, where a map by it has not been timed yet."""
    if backend.seconds is not None and throughput.backend(model, MAP_KEY) != backend.name:
        throughput.record(model, MAP_KEY, backend.seconds, 1, size, backend.name)


def throughput_key(method: Method[Any], metric: Metric[Any], cost: MetricCost) -> tuple[str, ...]:
    """The key of a metric's throughput. It names the method too if the metric computes maps."""
    return ("metric", metric.id, method.id if cost.maps else "")


def record_metric_time(
    throughput: Throughput, model: str, inputs: CostInputs, metric: Metric[Any], cost: MetricCost, seconds: float
) -> None:
    """Note how long a metric took, for later estimates."""
    if cost.total:
        throughput.record(model, throughput_key(inputs.method, metric, cost), seconds, cost.total, inputs.size)


def components(metric: Metric[Any], cost: MetricCost, inputs: CostInputs) -> Iterator[Component]:
    """What the seconds of a metric that makes maps consist of: the maps, their comparison, and other passes."""
    made = inputs.map_cost * cost.maps
    yield ("maps", inputs.method.id, metric.network), made.total
    yield ("comparisons",), cost.maps
    if metric.network == "copy":
        yield ("drawing",), 1  # making the copy and its random weights
    if cost.forwards > made.forwards:
        yield ("forwards",), cost.forwards - made.forwards
    if cost.gradients > made.gradients:
        yield MAP_KEY, cost.gradients - made.gradients
