"""What a server offers: models, methods, metrics, samples."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .jobs import Fit
from .notes import NoteBody
from .wire import JsonObject, WireModel


class LayerBody(WireModel):
    name: str
    shape: list[int] = Field(description="channels, height, width for a picture of the model's input size")
    default: bool


class PaperBody(WireModel):
    title: str
    url: str


class WeightsBody(WireModel):
    file: str
    bytes: int | None
    sha256: str | None = Field(description="the file's hash, or its first digits; null if unknown")


class ModelBody(WireModel):
    id: str
    title: str
    architecture: str
    source: str
    licence: str
    url: str
    paper: PaperBody | None
    accuracy: float | None = Field(description="top-1 accuracy on the data set that it was trained for, in percent")
    input_size: list[int] = Field(description="height, width")
    channels: int = Field(description="3: RGB, 1: grey")
    fit: Fit = Field(description="how a picture with another aspect ratio is fitted to that size")
    classes: int
    parameters: int | None
    availability: Literal["ready", "downloadable", "missing"]
    remedy: str | None = Field(description="how to get the weights; null if they are ready")
    weights: WeightsBody
    layers: list[LayerBody] | None = Field(description="null until the model has been loaded once")
    notes: list[NoteBody] = Field(
        [], description="what is to be known of the network; empty until it has been loaded once"
    )


class CardFault(WireModel):
    card: str
    detail: str


class Models(WireModel):
    default: str
    downloads: Literal["none", "cards", "any"] = Field(description="what POST /models/{id}/weights may download")
    models: list[ModelBody]
    faults: list[CardFault] = Field(description="cards that cannot be used, and why")


class MethodBody(WireModel):
    id: str
    title: str
    year: int
    family: str = Field(description="what it is built on: gradient, path, cam, rule, attention, perturbation or other")
    paper: PaperBody
    summary: str
    strengths: list[str]
    weaknesses: list[str]
    default: bool = Field(description="computed if a request names no methods")
    parameters: JsonObject = Field(description="JSON Schema")
    qualities: dict[str, JsonObject] = Field(
        {}, description="parameters for `quality`: quick, good and exact; empty where it changes nothing"
    )


class Methods(WireModel):
    methods: list[MethodBody]


class MetricBody(WireModel):
    id: str
    title: str
    paper: PaperBody
    summary: str
    parameters: JsonObject = Field(description="JSON Schema")


class Metrics(WireModel):
    metrics: list[MetricBody]


class SampleBody(WireModel):
    id: str
    title: str
    url: str
    credit: str
    licence: str


class Samples(WireModel):
    samples: list[SampleBody]


class Catalogue(WireModel):
    """Everything that a worker offers: `Models`, `Methods` and `Metrics` in one."""

    default: str
    downloads: Literal["none", "cards", "any"]
    models: list[ModelBody]
    faults: list[CardFault]
    methods: list[MethodBody]
    metrics: list[MetricBody]
    labels: dict[str, tuple[str, ...]] = Field(default={}, exclude=True)
    """The labels of each model's classes; not part of the JSON."""
