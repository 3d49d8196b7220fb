"""Measures the metrics of a panel: each comes from the store if it is there, otherwise it is computed in turns."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError
from torch import Tensor

from ..attribution.methods.base import Parameters
from ..attribution.metrics.base import ExplainedMap, Measurement, Metric
from ..contract.arrays import measurement_part, pack
from ..contract.events import Event, MetricEvent, ProgressEvent
from ..contract.jobs import Explain
from ..contract.metrics import MeasurementBody, MeasurementFacts
from ..contract.problems import ComputationFailed
from ..contract.wire import JsonObject
from .context import Context
from .cost import record_metric_time
from .plan import Chosen, PlannedPanel
from .problems import as_problem
from .records import measured, unmeasured
from .turns import PROGRESS_SECONDS, Run, TimedGenerator

log = logging.getLogger(__name__)


def measure_all(panel: PlannedPanel, key: str, explained: ExplainedMap, job: Explain, context: Context) -> Run:
    """Measure the metrics of a finished panel one after the other. `key` is the store's key of its map."""
    for metric, parameters in panel.metrics:
        try:
            record = yield from _measure(panel, (metric, parameters), key, explained, job, context)
        except Exception as error:
            record = unmeasured(metric, parameters, as_problem(error))
        assert panel.record is not None  # its map is there
        panel.record.metrics[metric.id] = record
        yield MetricEvent(panel=panel.id, metric=record)
        yield None  # the end of a turn


def _measure(
    panel: PlannedPanel,
    chosen: Chosen,
    key: str,
    explained: ExplainedMap,
    job: Explain,
    context: Context,
) -> Generator[Event | None, None, MeasurementBody]:
    metric, parameters = chosen
    metric.check_classes(explained)
    metric.check(explained, parameters)
    cost = metric.cost(explained.cost_inputs, parameters)
    name, store = measurement_part(panel.id, metric.id), context.store
    store_key = store.key("metric", key, *identity(metric, parameters), job.seed)
    facts = _facts(store.attach(job.id, name, store_key))
    from_store = facts is not None
    if facts is None:
        measurement, seconds = yield from compute(panel, metric, parameters, explained)
        record_metric_time(context.throughput, panel.model, explained.cost_inputs, metric, cost, seconds)
        facts = MeasurementFacts(
            figures=dict(measurement.figures), maps=list(measurement.maps), seconds=round(seconds, 3)
        )
        store.put(job.id, name, store_key, pack(as_arrays(measurement.maps)), facts.to_dict())
    return measured(job.id, panel, chosen, facts, cost, from_store)


def identity(metric: Metric[Any], parameters: Parameters) -> tuple[str | JsonObject | int, ...]:
    """What a metric's figures depend on beside the map: its id and parameters, and its revision from the second on."""
    revision = () if metric.revision == 1 else (metric.revision,)
    return metric.id, parameters.model_dump(), *revision


def _facts(stored: JsonObject | None) -> MeasurementFacts | None:
    """What is kept of a metric; None where there is nothing, or it is damaged."""
    try:
        return None if stored is None else MeasurementFacts.model_validate(stored)
    except ValidationError:
        log.warning("a stored measurement is damaged and is computed again")
        return None


def compute(
    panel: PlannedPanel, metric: Metric[Any], parameters: Parameters, explained: ExplainedMap
) -> Generator[Event | None, None, tuple[Measurement, float]]:
    """Run a metric in turns, with progress events. Only its own turns count as seconds."""
    last = -1.0
    with TimedGenerator(metric.measure(explained, parameters)) as steps:
        for step in steps:
            now = time.monotonic()
            if now - last >= PROGRESS_SECONDS or step.done == step.total:
                last = now
                yield ProgressEvent(panel=panel.id, metric=metric.id, done=step.done, total=step.total)
            yield None
    return steps.result, steps.seconds


def as_arrays(maps: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Maps as arrays. Raises `ComputationFailed` if a value is not finite."""
    arrays = {name: values.detach().float().cpu().numpy() for name, values in maps.items()}
    if not all(np.isfinite(values).all() for values in arrays.values()):
        raise ComputationFailed("A map made on the way holds values that are not finite (NaN or infinity).")
    return arrays
