"""What an evaluation finds, as results.json has it and as it is kept between runs.

Dictionaries with declared fields, not pydantic models: a run over a thousand pictures reads some ten thousand of them
back from JSON, and adds to them while it goes on. A `thumb` is a thumbnail as a data: URL, a `picture` the picture's
name.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict, cast

from ..contract.problems import Problem
from ..contract.wire import JsonObject
from ..pipeline.records import outcome

Status = Literal["done", "refused", "failed"]


class ProblemRecord(TypedDict):
    """The body of a problem; see `ProblemBody`."""

    type: str
    title: str
    status: int
    detail: str
    errors: NotRequired[list[dict[str, str]]]
    retry_after: NotRequired[int]
    request_id: NotRequired[str]


class NotMade(TypedDict):
    """What is said of something that could not be made: the body of the problem."""

    status: Status
    problem: ProblemRecord


class Target(TypedDict):
    """A class that a model predicts."""

    index: int
    label: str
    probability: float
    logit: float


class PictureRecord(TypedDict):
    """A picture, with its size where it could be decoded."""

    picture: str
    width: int | None
    height: int | None
    problem: ProblemRecord | None


class LookRecord(TypedDict):
    """What a model predicts for a picture, best first, and a thumbnail of what it saw. `target` is the class that was
    named for the picture, if one was; else the maps explain the best."""

    picture: str
    model: str
    problem: ProblemRecord | None
    status: NotRequired[Status]
    classes: NotRequired[list[Target]]
    target: NotRequired[Target]
    thumb: NotRequired[str]


class MetricRecord(TypedDict):
    """What came of a metric of a map."""

    metric: str
    status: Status | None  # None: not settled yet
    parameters: JsonObject
    figures: JsonObject | None
    problem: ProblemRecord | None
    seconds: NotRequired[float]


class MapPart(TypedDict):
    """What is kept of a map between runs; its metrics by their id and parameters."""

    metrics: dict[str, MetricRecord]
    shape: NotRequired[list[int]]
    statistics: NotRequired[JsonObject]
    diagnostics: NotRequired[JsonObject]
    seconds: NotRequired[float]
    thumb: NotRequired[str]


class MapRecord(TypedDict):
    """A map of a picture, with its metrics in the order in which they were asked for."""

    picture: str
    model: str
    method: str
    id: str  # of the panel
    target: Target
    metrics: list[MetricRecord]
    problem: ProblemRecord | None
    right: NotRequired[bool]  # whether the target, which was named, is the model's top class
    status: NotRequired[Status]
    shape: NotRequired[list[int]]
    statistics: NotRequired[JsonObject]
    diagnostics: NotRequired[JsonObject]
    seconds: NotRequired[float]
    thumb: NotRequired[str]


class CellRecord(TypedDict):
    """A cell of a grid: where the map for its class lies. A map without a positive value has no `shares`, and misses:
    its localisation is 0."""

    picture: str
    target: Target
    shares: list[float] | None
    localisation: float
    hit: bool
    thumb: str | None


class GridRecord(TypedDict):
    """A method's maps of a grid."""

    picture: str  # «grid 1», …
    grid: int
    model: str
    method: str
    status: Status
    problem: ProblemRecord | None
    cells: list[CellRecord]
    seconds: NotRequired[float]


class DrawnGrid(TypedDict):
    grid: int
    pictures: list[str]
    labels: list[str]
    thumb: str | None


class GameRecord(TypedDict):
    """How a model's grids were made, or why not."""

    model: str
    status: Status
    problem: ProblemRecord | None
    grids: list[DrawnGrid]
    pictures: int  # that may be in a grid
    input: NotRequired[list[int]]  # height, width of a grid as the model sees it
    cell: NotRequired[list[int]]  # height, width
    scaled: NotRequired[bool]  # whether grids are scaled down, because the model's input size is fixed


class Failure(TypedDict):
    """What could not be made, and why: of which picture, model, method and metric, as far as there are any."""

    status: Status | None
    problem: ProblemRecord | None
    picture: NotRequired[str]
    model: NotRequired[str]
    method: NotRequired[str]
    metric: NotRequired[str]


def explained_class(prediction: LookRecord) -> Target:
    """The class that the maps of a picture explain."""
    return prediction.get("target") or prediction["classes"][0]


def is_right(prediction: LookRecord) -> bool:
    """Whether the class that was named for a picture is the model's top class."""
    return prediction["target"]["index"] == prediction["classes"][0]["index"]


def not_made(problem: Problem) -> NotMade:
    """What is said of something that could not be made."""
    return {"status": outcome(problem), "problem": problem_record(problem)}


def problem_record(problem: Problem) -> ProblemRecord:
    return cast(ProblemRecord, problem.to_dict())
