"""The record of an explanation: what models saw, and what came of each panel. Sent, and kept in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from .arrays import Statistics
from .jobs import Fit
from .metrics import MeasurementBody
from .notes import NoteBody
from .predictions import ClassBody, PredictedClass
from .problem_body import ProblemBody
from .uploaded_map import is_uploaded
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
    notes: list[NoteBody] = Field(
        [],
        description="what is to be known of the network before its maps are read; absent where there is nothing",
        exclude_if=lambda notes: not notes,
    )


class PanelUrls(WireModel):
    npy: str | None
    png: str | None


class EngineBody(WireModel):
    """What has computed a map's gradients. Two correct engines may differ by rounding, up to 1e-2 (relative L2)."""

    backend: str = Field(
        description="plain: PyTorch; folded: with BatchNorm folded into the convolutions; compiled: by OpenVINO; "
        "several, in the order of their use, where a faster one was found on the way"
    )
    device: str = Field(description="as PyTorch calls it")
    dtype: str = Field(description="of the network and its gradients: float32, …")
    threads: int = Field(description="of PyTorch's operations on the CPU")


class PanelBody(WireModel):
    id: str
    status: Literal["done", "refused", "failed"]
    model: str
    method: str
    target: ClassBody | None = Field(description="null where none was asked for and the model was not available")
    against: ClassBody | None
    parameters: JsonObject
    shape: list[int] | None
    statistics: Statistics | None
    diagnostics: JsonObject = Field(
        description="what the method reports beside its map (`completeness`, `standard_error`, `layer`, …), and "
        "`engine`, what has computed it: see EngineBody"
    )
    notes: list[NoteBody] = Field(
        [],
        description="what a reader should know, such as why a map is zero everywhere; absent where there is nothing",
        exclude_if=lambda notes: not notes,
    )
    seconds: float = Field(
        description="that the computation took, in this request or in the earlier one that stored it"
    )
    from_store: bool = Field(description="whether it came from the store, and was not computed again")
    urls: PanelUrls
    metrics: dict[str, MeasurementBody] = Field({}, description="what was measured of the map")
    problem: ProblemBody | None

    def title(self, titles: Mapping[str, str]) -> str:
        """What people see: the method's title, by its id in `titles`; of an uploaded map its own, with that word."""
        if is_uploaded(self.method):
            return f"{self.parameters.get('title', self.method)} (uploaded)"
        return titles.get(self.method, self.method)


class MissingPanelBody(WireModel):
    """A panel that was asked for and has not been computed."""

    model: str
    method: str
    target: ClassBody | None
    against: ClassBody | None
    parameters: JsonObject


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
    missing: list[MissingPanelBody] = Field(
        [],
        description="the panels that were asked for and are not there (yet); absent where all are there",
        exclude_if=lambda missing: not missing,
    )

    def ended(self, ending: Ending) -> Explanation:
        """The record with what has become of the explanation."""
        return self.model_copy(update={name: getattr(ending, name) for name in ending.model_fields_set})


class FolderRecord(Explanation):
    """The record of one picture of a folder, kept in a folder of its own: with the picture's file, and its mark."""

    source: str
    mark: str


class Ending(WireModel):
    """What has become of an explanation that is not done."""

    status: Literal["cancelled", "failed"]
    problem: ProblemBody | None = None
