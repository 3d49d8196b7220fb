"""Our own methods as the pipeline runs them: `Method.attribute` on an `Engine`, from the picture to an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gradoscope.attribution.base import Attribution, Method, Parameters, find_method
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.score import Score
from gradoscope.making import micro_batch
from gradoscope.zoo.classifier import Classifier

from .subjects import Subject

OURS = "Gradoscope"
METHODS = (
    "vanilla_gradient",
    "guided_backprop",
    "grad_cam",
    "smooth_grad",
    "integrated_gradients",
    "blur_integrated_gradients",
)
PATHS = ("integrated_gradients", "blur_integrated_gradients")
Run = Callable[[int], np.ndarray]  # samples or steps → the map, (C, H, W), in the host's memory

# How an engine is built, by kind; the pipeline's own is `plain`.
ENGINES: dict[str, Callable[[Classifier, Score, int], Engine]] = {"plain": Engine}


def sampled(method: str) -> bool:
    """Whether the method takes a number of samples or steps."""
    return _count_field(find_method(method)) is not None


def parameters_at(method: Method[Any], count: int, **options: Any) -> Parameters:
    """The method's defaults, with `count` samples or steps where it has them."""
    name = _count_field(method)
    found: Parameters = method.Parameters.model_validate({**({name: count} if name else {}), **options})
    return found


def engine_of(subject: Subject, kind: str = "plain") -> Engine:
    """An engine as `pipeline.make` builds it."""
    return ENGINES[kind](subject.classifier, subject.score, micro_batch(subject.settings, subject.classifier.size))


def ours(subject: Subject, method: str, kind: str = "plain") -> Run:
    """One of our methods on a new engine, as for a request."""

    def run(count: int) -> np.ndarray:
        return attribute(subject, method, engine_of(subject, kind), count)

    return run


def attribute(subject: Subject, method: str, engine: Engine, count: int, **options: Any) -> np.ndarray:
    """The method's map on `engine`, as the pipeline takes it."""
    found = find_method(method)
    steps = found.attribute(engine, subject.x, parameters_at(found, count, **options), 0)
    values: np.ndarray = finish(steps).values.detach().float().cpu().numpy()
    return values


def finish(steps: Any) -> Attribution:
    """What a method's generator returns at its end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Attribution = end.value
            return found


def _count_field(method: Method[Any]) -> str | None:
    return next((name for name in ("steps", "samples") if name in method.Parameters.model_fields), None)
