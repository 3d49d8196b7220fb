"""Estimates of what methods and metrics will cost: evaluations, and seconds from the measured throughput."""

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
from ..attribution.metrics.networks import layers_with_weights, private_copy, randomise
from ..attribution.metrics.similarity import map_similarity
from ..attribution.score import Score
from ..contract.estimates import EstimateBody, Estimates, MetricEstimate
from ..contract.events import ResultEvent
from ..contract.jobs import Estimate
from ..contract.problems import Problem
from ..images.preprocess import requested_input
from ..zoo.loader import LoadedModel
from ..zoo.zoo import Zoo
from .context import Context
from .cost import components, inputs_of, map_key, map_seconds, panel_cost, record_backend_time, throughput_key
from .model_input import TurnByTurn
from .panel import micro_batch
from .plan import Chosen, choose_methods, choose_metrics
from .throughput import Size
from .turns import Run, reserve_models

TRIAL_PASSES = 3  # timed passes for one throughput, after a first one that warms up


def estimate(job: Estimate, context: Context) -> Run:
    """Yield the evaluations and seconds of each method, and of each metric of its map if metrics are requested.

    Seconds come from the throughput that was last measured on this model with the backend in use. For a method without
    a measurement they are None. For a metric without one, a few passes are timed first, unless the job does without
    (`timed`). If the model cannot be loaded, the evaluations of metrics are an upper bound and their seconds None.
    """
    model_input = requested_input(context.zoo.spec(job.model).input, None, job.size)
    chosen_methods, chosen_metrics = choose_methods(job), choose_metrics(job)
    if (resident := context.zoo.resident(job.model)) is not None:
        record_backend_time(context.throughput, job.model, resident.backend, resident.size)
    estimates = []
    for method, parameters in chosen_methods:
        cost = CostInputs(method, parameters, model_input.size, classes=0).map_cost  # a map's cost needs no classes
        seconds = _rounded(map_seconds(context.throughput, job.model, cost, model_input.size, map_key(method)))
        estimates.append(EstimateBody(method=method.id, gradient_evaluations=cost.total, seconds=seconds, metrics=[]))
    if chosen_metrics:
        with (yield from reserve_models(context.zoo, [job.model])):
            loaded = _load(context.zoo, job.model, model_input.size)
            for estimated, chosen in zip(estimates, chosen_methods, strict=True):
                if loaded is None:
                    inputs = CostInputs(*chosen, model_input.size, len(context.zoo.labels(job.model)))
                    costs = panel_cost(inputs, chosen_metrics).metrics
                    estimated.metrics = [
                        _metric_estimate(metric, costs[metric.id], None) for metric, _ in chosen_metrics
                    ]
                else:
                    with suppress(Problem, AttributionError):  # the method cannot explain this model
                        estimated.metrics = yield from _metric_estimates(loaded, job, chosen, chosen_metrics, context)
    yield ResultEvent(result=Estimates(model=job.model, estimates=estimates))


def _load(zoo: Zoo, model: str, size: Size) -> LoadedModel | None:
    """The model at this input size; None if it cannot be loaded, for example without its weights."""
    try:
        return zoo.load(model, size)
    except Problem:
        return None


def _metric_estimates(
    loaded: LoadedModel,
    job: Estimate,
    chosen: tuple[Method[Any], Parameters],
    chosen_metrics: tuple[Chosen, ...],
    context: Context,
) -> TurnByTurn[list[MetricEstimate]]:
    """The cost of each metric of a map by the `chosen` method. What has no throughput yet is timed first (`job.timed`),
    or has no seconds."""
    method, model, classifier = chosen[0], job.model, loaded.classifier
    inputs = inputs_of(*chosen, classifier)
    method.check(classifier, inputs.parameters)
    engine = loaded.engine(Score(0), micro_batch(context.settings, loaded.size))
    estimates, costs = [], panel_cost(inputs, chosen_metrics).metrics
    for metric, parameters in chosen_metrics:
        cost = costs[metric.id]
        key = throughput_key(method, metric, cost)
        seconds = context.throughput.seconds(model, key, cost.total, classifier.size) if cost.total else 0.0
        if seconds is None and cost.maps:  # a metric that computes further maps is timed part by part
            parts = list(components(metric, cost, inputs))
            for part, count in parts if job.timed else ():
                if context.throughput.seconds(model, part, count, classifier.size) is None:
                    yield from _time(_part_passes(part, engine, inputs), model, part, context, classifier.size)
            taken = [context.throughput.seconds(model, part, count, classifier.size) for part, count in parts]
            known = [part for part in taken if part is not None]
            seconds = sum(known) if job.timed or len(known) == len(taken) else None
        elif seconds is None and job.timed:
            with suppress(Refused):  # the metric cannot measure maps by this method
                yield from _time(_metric_passes(metric, parameters, engine, inputs), model, key, context, inputs.size)
            seconds = context.throughput.seconds(model, key, cost.total, classifier.size)
        estimates.append(_metric_estimate(metric, cost, seconds))
    return estimates


def _metric_estimate(metric: Metric[Any], cost: MetricCost, seconds: float | None) -> MetricEstimate:
    return MetricEstimate(metric=metric.id, forwards=cost.forwards, gradients=cost.gradients, seconds=_rounded(seconds))


def _time(passes: Iterator[int], model: str, key: tuple[str, ...], context: Context, size: Size) -> TurnByTurn[None]:
    """Time a few `passes`, each of which yields its number of evaluations. Store the fastest's throughput under `key`.

    The fastest, since other work on the machine only makes passes slower. The first pass warms up; it counts only if
    there is no other.
    """
    seconds_per_evaluation = []
    for _ in range(1 + TRIAL_PASSES):
        started_at = time.monotonic()
        done = next(passes, None)
        if done is None:
            break
        seconds_per_evaluation.append((time.monotonic() - started_at) / done)
        yield None
    if seconds_per_evaluation:
        fastest = min(seconds_per_evaluation[1:] or seconds_per_evaluation)
        context.throughput.record(model, key, fastest, 1, size)


def _part_passes(part: tuple[str, ...], engine: Engine, inputs: CostInputs) -> Iterator[int]:
    """Run one part of a metric that computes maps, again and again, on synthetic pictures.

    `part` comes from `components`: further maps, their comparison, a copy of the network with newly drawn weights, or
    forward passes or gradients besides. Yields the number of evaluations after each pass.
    """
    classifier = engine.classifier
    while part[0] == "drawing":  # of random weights
        copy = private_copy(classifier)
        for layer in layers_with_weights(copy):
            randomise(layer, 0)
        yield 1
    if part[0] == "maps":
        # on a copy of the network gradients are computed by eager PyTorch, without a faster backend
        backend = None if part[-1] == "copy" else engine.backend
        yield from _map_passes(Engine(classifier, engine.score, backend, micro_batch=engine.micro_batch), inputs)
    one_map, other_map = torch.rand(2, 1 if inputs.method.single_channel else classifier.channels, *classifier.size)
    pictures = classifier.noise_pictures(engine.micro_batch)
    while True:
        if part[0] == "comparisons":
            map_similarity(one_map, other_map, inputs.method)
            yield 1
        else:
            engine.scores(pictures) if part[0] == "forwards" else engine.gradients(pictures)
            yield len(pictures)


def _map_passes(engine: Engine, inputs: CostInputs) -> Iterator[int]:
    """Compute maps of a synthetic picture again and again. Yields the number of evaluations of each micro-batch."""
    picture = engine.classifier.noise_pictures(1)[0]
    while True:
        before = 0
        for step in inputs.method.attribute(engine, picture, inputs.parameters, 0):
            yield step.done - before
            before = step.done


def _metric_passes(metric: Metric[Any], parameters: Parameters, engine: Engine, inputs: CostInputs) -> Iterator[int]:
    """Measure a random map of a synthetic picture. Yields the number of evaluations of each micro-batch.

    Raises `Refused`.
    """
    picture = engine.classifier.noise_pictures(1)[0]
    values = torch.rand(1 if inputs.method.single_channel else len(picture), *inputs.size).to(picture)
    subject = ExplainedMap(engine, picture, values, inputs.method, inputs.parameters)
    metric.check(subject, parameters)
    before = 0
    for step in metric.measure(subject, parameters):
        yield step.done - before
        before = step.done


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
