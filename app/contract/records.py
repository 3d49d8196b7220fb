"""The record of an explanation: what models saw, and what came of each panel. Sent, and kept in the store."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .arrays import Statistics
from .jobs import Fit
from .metrics import MeasurementBody
from .notes import Note
from .predictions import ClassBody, PredictedClass
from .problem_body import ProblemBody
from .wire import JsonObject, WireModel


class ImageBody(WireModel):
    width: int
    height: int


class InputBody(WireModel):
    model: str
    size: list[int] = Field(description="height, width")
    fit: Fit
    crop: list[float] = Field(
        description="x0, y0, x1, y1 in pixels of the upright original; beyond its edges where it was padded"
    )
    url: str
    predictions: list[PredictedClass]
    targets: list[PredictedClass] = Field([], description="the classes that were asked for by their index")
    notes: list[Note] = Field([], description="what is to be known of the network before its maps are read")


class PanelUrls(WireModel):
    npy: str | None
    png: str | None


class PanelBody(WireModel):
    id: str
    status: Literal["done", "refused", "failed"]
    model: str
    method: str
    target: ClassBody | None = Field(description="null where none was asked for and the model could not be had")
    against: ClassBody | None
    parameters: JsonObject
    shape: list[int] | None
    statistics: Statistics | None
    diagnostics: JsonObject
    seconds: float = Field(description="that the computation took, in this request or in the one that it was kept from")
    from_store: bool = Field(description="whether it was known already, and not computed again")
    urls: PanelUrls
    metrics: dict[str, MeasurementBody] = Field({}, description="what was measured of the map")
    problem: ProblemBody | None


class MapFacts(WireModel):
    """What is kept of a map beside its values."""

    shape: list[int]
    statistics: Statistics
    diagnostics: JsonObject
    seconds: float


class Explanation(WireModel):
    id: str
    url: str
    status: Literal["running", "done", "cancelled", "failed"] = Field(
        description="only `done` has all the panels asked for"
    )
    problem: ProblemBody | None = Field(None, description="why it is `failed`")
    seed: int
    score: str
    seconds: float
    versions: dict[str, str]
    image: ImageBody
    inputs: list[InputBody]
    panels: list[PanelBody]

    def ended(self, ending: Ending) -> Explanation:
        """The record with what has become of the explanation."""
        return self.model_copy(update={name: getattr(ending, name) for name in ending.model_fields_set})


class FolderRecord(Explanation):
    """The record of a picture of many, in its folder: with the file that it came from, and the mark of the question."""

    source: str
    mark: str


class Ending(WireModel):
    """What has become of an explanation that is not done."""

    status: Literal["cancelled", "failed"]
    problem: ProblemBody | None = None
