"""Maps of tiny nets, with all that a metric needs (`ExplainedMap`), for tests of metrics."""

from __future__ import annotations

from typing import Any

from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.methods.base import Progress, find_method
from gradoscope.attribution.metrics.base import ExplainedMap, Measurement, find_metric
from gradoscope.attribution.score import Score
from torch import Tensor

from tests.support.nets import Tiny, explain, finish, random_picture, wrap


def explained_map(
    method: str = "vanilla_gradient",
    model: Classifier | None = None,
    picture: Tensor | None = None,
    values: Tensor | None = None,
    seed: int = 0,
    micro_batch: int = 4,
    **options: Any,
) -> ExplainedMap:
    """A map of a tiny net for class 0, or other `values` in its place."""
    model, picture = model or wrap(Tiny()), random_picture(side=12) if picture is None else picture
    if values is None:
        values = explain(method, model, picture, seed=seed, **options).values
    found = find_method(method)
    engine = Engine(model, Score(0), micro_batch=micro_batch)
    return ExplainedMap(engine, picture, values, found, found.Parameters(**options), seed)


def run(metric: str, subject: ExplainedMap, **options: Any) -> tuple[list[Progress], Measurement]:
    """All that a metric yields, and what it returns."""
    found = find_metric(metric)
    parameters = found.Parameters(**options)
    found.check(subject, parameters)
    return finish(found.measure(subject, parameters))


def measure(metric: str, subject: ExplainedMap, **options: Any) -> Measurement:
    return run(metric, subject, **options)[1]
