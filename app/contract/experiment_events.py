"""What comes back while an experiment of the lab runs, and how a client reads it from a stream."""

from __future__ import annotations

from pydantic import Field

from .events import ErrorEvent, Event
from .experiments import ExperimentFinding, ExperimentResult, FigureBody
from .problem_body import ProblemBody
from .wire import JsonObject, WireModel


class ExperimentAcceptedEvent(Event):
    """The request is right; this is what is run."""

    name = "accepted"
    id: str
    parameters: JsonObject = Field(description="all of them, defaults filled in")
    seed: int
    seconds: float = Field(description="about what it takes, on two cores")


class ExperimentProgressEvent(Event):
    """`done` of `total` steps."""

    name = "progress"
    done: int
    total: int


class ExperimentPartialEvent(Event):
    """The figures and findings so far; at most four a second."""

    name = "partial"
    done: int
    total: int
    figures: list[FigureBody]
    findings: list[ExperimentFinding]


class ExperimentDoneEvent(Event):
    """What came of the run. Its data are the result."""

    name = "done"
    final = True
    result: ExperimentResult

    def accepted(self, seconds: float) -> ExperimentAcceptedEvent:
        """The event that a stream with this result begins with."""
        known = self.result
        return ExperimentAcceptedEvent(id=known.id, parameters=known.parameters, seed=known.seed, seconds=seconds)

    def to_dict(self) -> JsonObject:
        return self.result.to_dict()


EXPERIMENT_EVENTS: dict[str, type[WireModel]] = {
    **{kind.name: kind for kind in (ExperimentAcceptedEvent, ExperimentProgressEvent, ExperimentPartialEvent)},
    ExperimentDoneEvent.name: ExperimentResult,
    ErrorEvent.name: ProblemBody,
}
"""The model of the data of each event in an experiment's stream."""


def parse_experiment_event(name: str, data: object) -> Event | None:
    """An event as the stream has it; None for a kind that is not known here. Raises `ValidationError`."""
    if name == ExperimentDoneEvent.name:
        return ExperimentDoneEvent(result=ExperimentResult.model_validate(data))
    if name == ErrorEvent.name:
        return ErrorEvent(problem=ProblemBody.model_validate(data))
    kind = EXPERIMENT_EVENTS.get(name)
    return kind.model_validate(data) if kind is not None and issubclass(kind, Event) else None
