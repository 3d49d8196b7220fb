"""What methods and metrics would cost, before anything is computed: evaluations, and seconds by what was measured."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch

from ..attribution.engine import Engine
from ..attribution.errors import AttributionError, Refused
from ..attribution.methods.base import Method, Parameters
from ..attribution.metrics.base import CostInputs, ExplainedMap, Metric, MetricCost
from ..attribution.metrics.networks import layers, private, randomise
from ..attribution.metrics.similarity import compare
from ..attribution.score import Score
from ..contract.estimates import EstimateBody, Estimates, MetricEstimate
from ..contract.events import ResultEvent
from ..contract.jobs import Estimate
from ..contract.problems import Problem
from ..images.preprocess import requested_input
from ..zoo.loader import LoadedModel
from ..zoo.zoo import Zoo
from .context import Context
from .cost import components, inputs_of, map_seconds, metric_pace, panel_cost
from .model_input import Waiting
from .panel import micro_batch
from .plan import Chosen, choose_methods, choose_metrics
from .throughput import Size
from .turns import Run, reserve_models

TRIED = 3  # passes that a pace is taken from, after a first one that warms up


def estimate(job: Estimate, context: Context) -> Run:
    """Evaluations of each method, and seconds by the pace that was last measured on this model; null before.

    Where metrics are asked for, theirs too: what was not measured yet is tried on a few pictures first. Where the model
    cannot be loaded, their evaluations are the most that there may be, and seconds are null.
    """
    own = requested_input(context.zoo.recipe(job.model).input, None, job.size)
    chosen, measured = choose_methods(job), choose_metrics(job)
    listed = []
    for method, parameters in chosen:
        cost = CostInputs(method, parameters, own.size, 0).map_cost
        seconds = _rounded(map_seconds(context.throughput, job.model, cost, own.size))
        listed.append(EstimateBody(method=method.id, gradient_evaluations=cost.total, seconds=seconds, metrics=[]))
    if measured:
        with (yield from reserve_models(context.zoo, [job.model])):
            loaded = _load(context.zoo, job.model, own.size)
            for estimated, made in zip(listed, chosen, strict=True):
                if loaded is None:
                    outline = CostInputs(*made, own.size, len(context.zoo.labels(job.model)))
                    costs = panel_cost(outline, measured).metrics
                    estimated.metrics = [_metric(metric, costs[metric.id], None) for metric, _ in measured]
                else:
                    with suppress(Problem, AttributionError):  # a method that this model cannot be explained by
                        estimated.metrics = yield from _metrics(loaded, job.model, made, measured, context)
    yield ResultEvent(result=Estimates(model=job.model, estimates=listed))


def _load(zoo: Zoo, model: str, size: Size) -> LoadedModel | None:
    try:
        return zoo.load(model, size)
    except Problem:  # its weights are not here
        return None


def _metrics(
    loaded: LoadedModel,
    model: str,
    made: tuple[Method[Any], Parameters],
    measured: tuple[Chosen, ...],
    context: Context,
) -> Waiting[list[MetricEstimate]]:
    method, classifier = made[0], loaded.classifier
    outline = inputs_of(*made, classifier)
    method.check(classifier, outline.parameters)
    engine = loaded.engine(Score(0), micro_batch(context.settings, loaded.size))
    listed, costs = [], panel_cost(outline, measured).metrics
    for metric, parameters in measured:
        cost = costs[metric.id]
        own = (metric_pace(method, metric, cost), cost.total)
        seconds = context.throughput.seconds(model, *own, classifier.size) if cost.total else 0.0
        if seconds is None and cost.maps:
            composed = list(components(metric, cost, outline))
            for what, count in composed:
                if context.throughput.seconds(model, what, count, classifier.size) is None:
                    yield from _time(_passes(what, engine, outline), model, what, context, classifier.size)
            seconds = sum(context.throughput.seconds(model, *spent, classifier.size) or 0.0 for spent in composed)
        elif seconds is None:
            with suppress(Refused):  # this map cannot be measured so
                yield from _time(_measuring(metric, parameters, engine, outline), model, own[0], context, outline.size)
            seconds = context.throughput.seconds(model, *own, classifier.size)
        listed.append(_metric(metric, cost, seconds))
    return listed


def _metric(metric: Metric[Any], cost: MetricCost, seconds: float | None) -> MetricEstimate:
    return MetricEstimate(metric=metric.id, forwards=cost.forwards, gradients=cost.gradients, seconds=_rounded(seconds))


def _time(passes: Iterator[int], model: str, what: tuple[str, ...], context: Context, size: Size) -> Waiting[None]:
    """Learn a pace from the quickest of a few `passes`, which tell how many evaluations each was: anything else that
    runs makes one slower. The first one warms up, and counts where it is the only one."""
    paces = []
    for _ in range(1 + TRIED):
        began = time.monotonic()
        done = next(passes, None)
        if done is None:
            break
        paces.append((time.monotonic() - began) / done)
        yield None
    if paces:
        context.throughput.learn(model, what, min(paces[1:] or paces), 1, size)


def _passes(what: tuple[str, ...], engine: Engine, outline: CostInputs) -> Iterator[int]:
    """A part of a metric again and again, on pictures of clouds; after each the evaluations in it."""
    classifier = engine.classifier
    while what[0] == "drawing":
        copy = private(classifier)
        for layer in layers(copy):
            randomise(layer, 0)
        yield 1
    if what[0] == "maps":
        # a copy has no quicker backend
        backend = None if what[-1] == "copy" else engine.backend
        yield from _maps(Engine(classifier, engine.score, backend, micro_batch=engine.micro_batch), outline)
    one, other = torch.rand(2, 1 if outline.method.single_channel else classifier.channels, *classifier.size)
    pictures = classifier.probe(engine.micro_batch)
    while True:
        if what[0] == "comparisons":
            compare(one, other, outline.method)
            yield 1
        else:
            engine.scores(pictures) if what[0] == "forwards" else engine.gradients(pictures)
            yield len(pictures)


def _maps(engine: Engine, outline: CostInputs) -> Iterator[int]:
    picture = engine.classifier.probe(1)[0]
    while True:
        before = 0
        for step in outline.method.attribute(engine, picture, outline.parameters, 0):
            yield step.done - before
            before = step.done


def _measuring(metric: Metric[Any], parameters: Parameters, engine: Engine, outline: CostInputs) -> Iterator[int]:
    """A metric's own passes, on a picture of clouds and a map of noise. Raises `Refused`."""
    picture = engine.classifier.probe(1)[0]
    values = torch.rand(1 if outline.method.single_channel else len(picture), *outline.size).to(picture)
    subject = ExplainedMap(engine, picture, values, outline.method, outline.parameters)
    metric.check(subject, parameters)
    before = 0
    for step in metric.measure(subject, parameters):
        yield step.done - before
        before = step.done


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
