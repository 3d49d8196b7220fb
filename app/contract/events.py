"""What comes back from an executor while it computes a job. Events cross process borders, and go to clients as JSON."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SerializeAsAny

from .arrays import EncodedMap
from .metrics import MeasurementBody
from .predictions import PredictedClass
from .problem_body import ProblemBody
from .records import Explanation, InputBody, PanelBody
from .wire import JsonObject, WireModel


class Event(WireModel):
    """Something that a client is told; `name` is the event's in the stream. The `final` one is the last."""

    name: ClassVar[str]
    final: ClassVar[bool] = False

    @property
    def data(self) -> JsonObject:
        """The event's data as the stream has it."""
        return self.to_dict()


class PlannedMetric(WireModel):
    metric: str
    forwards: int
    gradients: int


class PlannedPanelBody(WireModel):
    id: str
    model: str
    method: str
    target: int | None = Field(description="null where the model was not available and no class was asked for")
    cost: int = Field(description="gradient evaluations, or forward passes of methods that take no gradient")
    metrics: list[PlannedMetric] = Field([])


class AcceptedEvent(Event):
    """The request is right; this is what will be made of it."""

    name = "accepted"
    panel: str | None = Field(None, description="the panel, where only metrics of a stored panel are asked for")
    id: str
    panels: list[PlannedPanelBody] = Field([])
    gradient_evaluations: int
    shared_evaluations: int = Field(
        0, description="how many of them are gradients that one map has computed for another one too"
    )
    metric_evaluations: int | None = None


class PredictionEvent(Event):
    """What a model sees and predicts, best first."""

    name = "prediction"
    model: str
    input: InputBody
    predictions: list[PredictedClass]


class ProgressEvent(Event):
    """`done` of `total` evaluations of a panel, or of a metric of its map."""

    name = "progress"
    panel: str
    metric: str | None = None
    done: int
    total: int


class PartialEvent(Event):
    """A panel's map so far, summed over channels with sign, at most 112 pixels on a side."""

    name = "partial"
    panel: str
    done: int
    total: int
    map: EncodedMap


class PanelEvent(Event):
    """What came of a panel; its map summed over channels with sign."""

    name = "panel"
    panel: PanelBody
    map: EncodedMap | None = None


class MetricEvent(Event):
    """What came of a metric of a panel."""

    name = "metric"
    panel: str
    metric: MeasurementBody


class DoneEvent(Event):
    """The explanation, whole. Its data are the record."""

    name = "done"
    final = True
    record: Explanation

    def to_dict(self) -> JsonObject:
        return self.record.to_dict()


class ResultEvent(Event):
    """The answer to a job with one result, such as predictions or an estimate. Its data are the result."""

    name = "result"
    final = True
    result: SerializeAsAny[WireModel]

    def to_dict(self) -> JsonObject:
        return self.result.to_dict()


class ErrorEvent(Event):
    """The job has failed or was refused. Its data are the problem."""

    name = "error"
    final = True
    problem: ProblemBody

    def to_dict(self) -> JsonObject:
        return self.problem.to_dict()


EVENTS: dict[str, type[WireModel]] = {
    **{
        kind.name: kind
        for kind in (AcceptedEvent, PredictionEvent, ProgressEvent, PartialEvent, PanelEvent, MetricEvent)
    },
    DoneEvent.name: Explanation,
    ErrorEvent.name: ProblemBody,
}
"""The model of the data of each event in an explanation's stream."""


def parse_event(name: str, data: object) -> Event | None:
    """An event as the stream has it; None for a kind that is not known here. Raises `ValidationError`."""
    if name == DoneEvent.name:
        return DoneEvent(record=Explanation.model_validate(data))
    if name == ErrorEvent.name:
        return ErrorEvent(problem=ProblemBody.model_validate(data))
    kind = EVENTS.get(name)
    return kind.model_validate(data) if kind is not None and issubclass(kind, Event) else None
