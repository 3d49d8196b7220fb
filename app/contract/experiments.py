"""Experiments of the lab over the wire: what they ask, and what came of one run."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from .catalogue import PaperBody
from .parsing import MAX_SEED
from .wire import JsonObject, WireModel


def _finite(value: float | int | None) -> float | int | None:
    return value if value is None or math.isfinite(value) else None


Number = Annotated[float | int | None, AfterValidator(_finite)]
"""A number in a figure; None where it is not finite, which JSON cannot say."""

Verdict = Literal["holds", "fails", "depends"]
Scale = Literal["linear", "log"]


def finite(value: float) -> float | None:
    """A number as a figure holds it: None where it is NaN or infinite."""
    return value if math.isfinite(value) else None


def finite_values(value: Any) -> Any:
    """The same JSON with None for every number that is not finite, which JSON cannot say."""
    if isinstance(value, dict):
        return {str(name): finite_values(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite_values(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Axis(WireModel):
    """An axis of a figure. `id` is the key of its title in the experiment's texts."""

    id: str
    title: str = Field("", description="what is drawn along it, with its unit; filled in from the texts")
    scale: Scale = "linear"
    least: float | None = Field(None, gt=0, description="of a logarithmic axis: nothing smaller is drawn")


class Series(WireModel):
    """Points (x, y) of one colour. `low` and `high` bound an interval around each, where there is one."""

    id: str
    title: str = ""
    x: list[Number]
    y: list[Number]
    low: list[Number] = Field([])
    high: list[Number] = Field([])
    style: Literal["line", "points", "dashed"] = Field("line", description="dashed: what a theory says")


class LinesData(WireModel):
    x: Axis
    y: Axis
    series: list[Series]


class BarsData(WireModel):
    """Bars side by side: `series[].x` is the place of each label, from 0."""

    labels: list[str]
    x: Axis | None = Field(None, description="what the labels are, where they do not say it")
    y: Axis
    series: list[Series]


class HistogramData(WireModel):
    """`series[].y` counts what lies between `edges[i]` and `edges[i + 1]`; `series[].x` is empty."""

    x: Axis
    edges: list[float]
    y: Axis | None = Field(None, description="the axis of the counts; a linear one where there is none")
    series: list[Series]


class MatrixData(WireModel):
    """Numbers in a grid, to be read one by one. `parameter` names the parameter that it edits, if any."""

    values: list[list[Number]]
    rows: list[str] = Field([])
    columns: list[str] = Field([])
    parameter: str | None = None
    switches: bool = Field(False, description="each number is 0 or 1, and a press switches it")


class HeatmapData(WireModel):
    """Numbers in a grid as colours: `values[row][column]`, row 0 on top."""

    x: Axis
    y: Axis
    columns: list[float] = Field(description="the place of each column along x")
    rows: list[float] = Field(description="the place of each row along y")
    names: list[str] = Field([], description="of the rows, where they are no numbers")
    values: list[list[Number]]
    scale: Scale = "linear"
    signed: bool = Field(False, description="whether zero is in the middle of the colours")


class ContourData(WireModel):
    """A surface's height over a grid, and paths on it (`paths[].x`, `paths[].y`)."""

    x: Axis
    y: Axis
    columns: list[float]
    rows: list[float]
    values: list[list[Number]]
    scale: Scale = "linear"
    paths: list[Series]
    start: str | None = Field(None, description="the parameter that a press on the surface sets")


class Node(WireModel):
    """A value in a computation: what was computed, and the gradient that arrived."""

    id: str
    title: str
    value: Number = None
    gradient: Number = None
    inputs: list[str] = Field([], description="ids of the nodes that it is computed from")
    shares: list[Number] = Field([], description="what it sends back to each input; the input adds them up")


class GraphData(WireModel):
    nodes: list[Node] = Field(description="each after its inputs; the last is the result")


class TableData(WireModel):
    columns: list[str]
    rows: list[list[str | float | int | None]]


class Grid(WireModel):
    """One of the grids of numbers of a figure. `id` is the key of its title in the experiment's texts."""

    id: str
    title: str = ""
    values: list[list[Number]]
    parameter: str | None = Field(None, description="the parameter that is edited in it, if any")
    border: int = Field(0, ge=0, description="cells of padding that are shown around it; their rows begin below 0")
    outside: str = Field("", description="what stands in the border")
    sums: bool = Field(False, description="its values are the sum of what the steps add")


class GridGroup(WireModel):
    """Grids that stand side by side, under a heading."""

    id: str
    title: str = ""
    grids: list[Grid]


class Cells(WireModel):
    """Where a step is in one grid: the cells at these rows and columns, and what it adds to each."""

    grid: str
    rows: list[int]
    columns: list[int]
    added: list[list[float]] = Field([], description="by row and column; empty: nothing")


class GridStep(WireModel):
    """A step through the grids. `id` is the key of its sentence, `numbers` are filled in."""

    id: str
    text: str = ""
    numbers: dict[str, float | int | str | None] = Field({})
    cells: list[Cells] = Field([])


class GridsData(WireModel):
    """Grids that belong together, and steps through them. A grid with `sums` shows what the steps so far have added."""

    groups: list[GridGroup]
    steps: list[GridStep] = Field([])


FigureData = (
    LinesData | BarsData | HistogramData | MatrixData | HeatmapData | ContourData | GraphData | TableData | GridsData
)
FigureKind = Literal["lines", "bars", "histogram", "matrix", "heatmap", "contour", "graph", "table", "grids"]
KIND_OF: dict[type[WireModel], FigureKind] = {
    LinesData: "lines",
    BarsData: "bars",
    HistogramData: "histogram",
    MatrixData: "matrix",
    HeatmapData: "heatmap",
    ContourData: "contour",
    GraphData: "graph",
    TableData: "table",
    GridsData: "grids",
}


OF_KIND: dict[str, type[WireModel]] = {kind: model for model, kind in KIND_OF.items()}


class FigureBody(WireModel):
    """A figure. `data` is of the model that `kind` names."""

    id: str
    kind: FigureKind
    title: str
    data: FigureData

    @field_validator("data", mode="before")
    @classmethod
    def _of_kind(cls, value: Any, info: ValidationInfo) -> Any:
        """What came as JSON is read as the kind says: a contour's data would do for a heatmap too."""
        kind = OF_KIND.get(info.data.get("kind", ""))
        return kind.model_validate(value) if kind is not None and isinstance(value, dict) else value


class ExperimentFinding(WireModel):
    """A sentence with its numbers. `verdict` says whether the claim holds."""

    id: str
    verdict: Verdict
    text: str = ""
    numbers: dict[str, float | int | str | None] = Field({})


class ExperimentResult(WireModel):
    """What came of one run."""

    id: str
    parameters: JsonObject = Field(description="all of them, defaults filled in")
    seed: int
    seconds: float
    numbers: JsonObject
    figures: list[FigureBody]
    findings: list[ExperimentFinding]
    versions: dict[str, str]


class ExperimentRequest(BaseModel):
    """What POST /experiments/{id} takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    parameters: JsonObject = Field({}, description="by their names; those that are not given have their defaults")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="of what the experiment draws")


class TryBody(WireModel):
    """Parameters that show something worth seeing."""

    id: str
    title: str
    parameters: JsonObject


class ExperimentBody(WireModel):
    """An experiment, as GET /experiments lists it."""

    id: str
    title: str
    question: str
    summary: str
    papers: list[PaperBody]
    parameters: JsonObject = Field(description="JSON Schema")
    seconds: float = Field(description="about what a run with the defaults takes, on two cores")
    tries: list[TryBody]


class Experiments(WireModel):
    experiments: list[ExperimentBody]
