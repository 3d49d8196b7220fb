"""The catalogue that clients get: all models, methods and metrics, with their descriptions."""

from __future__ import annotations

from typing import Any

from ..attribution.methods.base import Method, methods
from ..attribution.metrics.base import Metric, metrics
from ..contract.catalogue import CardFault, Catalogue, MethodBody, MetricBody, ModelBody, PaperBody
from ..settings import Settings
from ..zoo.zoo import Zoo
from .notes import network_notes


def catalogue(zoo: Zoo, settings: Settings) -> Catalogue:
    """The content of `GET /models`, `GET /methods` and `GET /metrics`."""
    return Catalogue(
        default=settings.default_model,
        downloads="none" if settings.offline else settings.downloads,
        models=[describe_model(zoo, model) for model in zoo.specs],
        faults=[CardFault(card=fault.card, detail=fault.detail) for fault in zoo.all_faulty_cards()],
        methods=[describe_method(method) for method in methods().values()],
        metrics=[describe_metric(metric) for metric in metrics().values()],
        labels={model: spec.labels for model, spec in zoo.specs.items()},
    )


def describe_model(zoo: Zoo, model: str) -> ModelBody:
    """A model as `GET /models` lists it."""
    body = zoo.describe(model)
    behaviour = zoo.behaviour_of(model)
    body.notes = [] if behaviour is None else network_notes(behaviour)
    return body


def describe_method(method: Method[Any]) -> MethodBody:
    """A method as `GET /methods` lists it."""
    return MethodBody(
        id=method.id,
        title=method.title,
        year=method.year,
        family=method.family,
        paper=PaperBody(title=method.paper.title, url=method.paper.url),
        summary=method.summary,
        strengths=list(method.strengths),
        weaknesses=list(method.weaknesses),
        default=method.default,
        parameters=method.Parameters.model_json_schema(),
        qualities={quality: dict(values) for quality, values in method.qualities.items()},
    )


def describe_metric(metric: Metric[Any]) -> MetricBody:
    """A metric as `GET /metrics` lists it."""
    return MetricBody(
        id=metric.id,
        title=metric.title,
        paper=PaperBody(title=metric.paper.title, url=metric.paper.url),
        summary=metric.summary,
        parameters=metric.Parameters.model_json_schema(),
    )


def titles() -> dict[str, str]:
    """The title of each method by its id, for captions."""
    return {id: method.title for id, method in methods().items()}
