"""Classes, and what models believe of a picture."""

from __future__ import annotations

from operator import not_

from pydantic import Field

from .wire import WireModel


class ClassBody(WireModel):
    index: int
    label: str


class LabelList(WireModel):
    """The labels of all of a model's classes, by their index."""

    labels: list[str]


class FoundClass(ClassBody):
    name: str = Field("", exclude_if=not_, description="in the language that was asked for; absent where none is known")


class Classes(WireModel):
    classes: list[FoundClass]


class PredictedClass(ClassBody):
    probability: float
    logit: float


class Prediction(WireModel):
    model: str
    classes: list[PredictedClass]


class Predictions(WireModel):
    predictions: list[Prediction]
