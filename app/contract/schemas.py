"""What goes over the wire, for the OpenAPI document; the pipeline makes the values."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from .jobs import Fit


class FieldError(BaseModel):
    field: str
    detail: str


class ProblemBody(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
    retry_after: int | None = None
    request_id: str | None = None


class LayerBody(BaseModel):
    name: str
    shape: list[int] = Field(description="channels, height, width for a picture of the model's input size")
    default: bool


class PaperBody(BaseModel):
    title: str
    url: str


class WeightsBody(BaseModel):
    file: str
    bytes: int | None
    sha256: str | None = Field(description="the file's hash, or its first digits; null where nobody stated one")


class ModelBody(BaseModel):
    id: str
    title: str
    architecture: str
    source: str
    licence: str
    url: str
    paper: PaperBody | None
    accuracy: float | None = Field(description="top-1 on the data set that it was trained for, in percent")
    input_size: list[int] = Field(description="height, width")
    channels: int = Field(description="3: RGB, 1: grey")
    fit: Fit = Field(description="how a picture of another aspect is brought to that size")
    classes: int
    parameters: int | None
    availability: Literal["ready", "downloadable", "missing"]
    remedy: str | None = Field(description="what to do where the weights are not here")
    weights: WeightsBody
    layers: list[LayerBody] | None = Field(description="null until the model was loaded once")


class CardFault(BaseModel):
    card: str
    detail: str


class Models(BaseModel):
    default: str
    downloads: Literal["none", "cards", "any"] = Field(description="what POST /models/{id}/weights may download")
    models: list[ModelBody]
    faults: list[CardFault] = Field(description="cards that cannot be used, and why")


class ClassBody(BaseModel):
    index: int
    label: str


class Classes(BaseModel):
    classes: list[ClassBody]


class MethodBody(BaseModel):
    id: str
    title: str
    year: int
    paper: PaperBody
    summary: str
    strengths: list[str]
    weaknesses: list[str]
    default: bool = Field(description="computed where a request names no method")
    parameters: dict[str, Any] = Field(description="JSON Schema")


class Methods(BaseModel):
    methods: list[MethodBody]


class SampleBody(BaseModel):
    id: str
    title: str
    url: str
    credit: str
    licence: str


class Samples(BaseModel):
    samples: list[SampleBody]


class PredictedClass(ClassBody):
    probability: float
    logit: float


class Prediction(BaseModel):
    model: str
    classes: list[PredictedClass]


class Predictions(BaseModel):
    predictions: list[Prediction]


class MetricBody(BaseModel):
    id: str
    title: str
    paper: PaperBody
    summary: str
    parameters: dict[str, Any] = Field(description="JSON Schema")


class Metrics(BaseModel):
    metrics: list[MetricBody]


class MetricEstimate(BaseModel):
    metric: str
    forwards: int
    gradients: int
    seconds: float | None = Field(description="by what was measured on this model, or tried for this estimate")


class EstimateBody(BaseModel):
    method: str
    gradient_evaluations: int
    seconds: float | None = Field(description="by the pace last measured on this model; null before")
    metrics: list[MetricEstimate] = Field([], description="of those asked for; none where the method is refused")


class Estimates(BaseModel):
    model: str
    estimates: list[EstimateBody]


class ImageBody(BaseModel):
    width: int
    height: int


class InputBody(BaseModel):
    model: str
    size: list[int] = Field(description="height, width")
    fit: Fit
    crop: list[float] = Field(
        description="x0, y0, x1, y1 in pixels of the upright original; beyond its edges where it was padded"
    )
    url: str
    predictions: list[PredictedClass]
    targets: list[PredictedClass] = Field([], description="the classes that were asked for by their index")


class PanelUrls(BaseModel):
    npy: str | None
    png: str | None


class Statistics(BaseModel):
    min: float
    max: float
    sum: float


class MetricCost(BaseModel):
    forwards: int = Field(description="evaluations of one picture without a gradient")
    gradients: int


class Finding(BaseModel):
    code: str
    level: Literal["support", "doubt", "note"]
    detail: str
    values: dict[str, Any]
    url: str = Field(description="what it means")


class MeasurementBody(BaseModel):
    metric: str
    status: Literal["done", "refused", "failed"]
    parameters: dict[str, Any]
    cost: MetricCost | None
    seconds: float = Field(description="that the computation took, in this request or in the one that it was kept from")
    from_store: bool = Field(description="whether it was known already, and not computed again")
    figures: dict[str, Any] | None
    findings: list[Finding] = Field(description="what the figures say, in plain words")
    maps: dict[str, str] = Field(description="addresses of the arrays made on the way")
    problem: ProblemBody | None


class PoolingBody(BaseModel):
    how: Literal["maximum", "average"]
    received: float = Field(description="share of its inputs whose gradient is not 0")
    map: list[list[float]] | None = Field(
        description="the same by place, as rows of cells; null where the input is no feature map"
    )


class FlowLayer(BaseModel):
    name: str = Field(description="the module's; with the operation after a colon where it is no module's output")
    kind: str = Field(description="the module's type, or the operation")
    operation: str
    call: int = Field(description="1, or more where a module is called again")
    shape: list[int] = Field(description="of the output, without the pictures' axis")
    norm: float | None = Field(description="L2 norm of the score's gradient there; null where it is not finite")
    rms: float | None = Field(description="the norm over the root of the number of elements")
    dead: float | None = Field(description="share of outputs that are exactly 0 with slope 0; null but for rectifiers")
    dead_units: float | None = Field(description="share of channels, or units, that are dead at every place")
    saturated: float | None = Field(
        description="share of outputs at another flat end: slope 0, or at most 1 % of the steepest; null where there "
        "is none"
    )
    pooling: PoolingBody | None
    into: list[int] = Field(description="places in this list of the layers that take its output")


class GradientFlow(BaseModel):
    model: str
    target: ClassBody
    against: ClassBody | None
    score: str
    size: list[int] = Field(description="height, width of what the model saw")
    layers: list[FlowLayer] = Field(description="in the order in which they are computed; the picture first")
    findings: list[Finding] = Field(description="where the gradient vanishes, in plain words")


class PanelBody(BaseModel):
    id: str
    status: Literal["done", "refused", "failed"]
    model: str
    method: str
    target: ClassBody | None = Field(description="null where none was asked for and the model could not be had")
    against: ClassBody | None
    parameters: dict[str, Any]
    shape: list[int] | None
    statistics: Statistics | None
    diagnostics: dict[str, Any]
    seconds: float = Field(description="that the computation took, in this request or in the one that it was kept from")
    from_store: bool = Field(description="whether it was known already, and not computed again")
    urls: PanelUrls
    metrics: dict[str, MeasurementBody] = Field({}, description="what was measured of the map")
    problem: ProblemBody | None


class Explanation(BaseModel):
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


class Health(BaseModel):
    status: str


class SessionBody(BaseModel):
    name: str = Field(description="whose key it is")
