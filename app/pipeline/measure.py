"""The metrics of a panel: each from the store where it is there, else computed turn by turn; its record says what
came of it."""

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
from .cost import learn_metric
from .plan import Chosen, PlannedPanel
from .problems import as_problem
from .records import measured, unmeasured
from .turns import PROGRESS_SECONDS, Run, TimedGenerator

log = logging.getLogger(__name__)


def measure_all(panel: PlannedPanel, key: str, subject: ExplainedMap, job: Explain, context: Context) -> Run:
    """The metrics of a panel whose map is there, kept under `key`: one after the other, into its record."""
    for metric, parameters in panel.metrics:
        try:
            record = yield from _measure(panel, (metric, parameters), key, subject, job, context)
        except Exception as error:
            record = unmeasured(metric, parameters, as_problem(error))
        assert panel.record is not None  # its map is there
        panel.record.metrics[metric.id] = record
        yield MetricEvent(panel=panel.id, metric=record)
        yield None


def _measure(
    panel: PlannedPanel,
    chosen: Chosen,
    key: str,
    subject: ExplainedMap,
    job: Explain,
    context: Context,
) -> Generator[Event | None, None, MeasurementBody]:
    metric, parameters = chosen
    metric.check(subject, parameters)
    cost = metric.cost(subject.outline, parameters)
    name, store = measurement_part(panel.id, metric.id), context.store
    kept = store.key("metric", key, metric.id, parameters.model_dump(), job.seed)
    facts = _facts(store.attach(job.id, name, kept))
    from_store = facts is not None
    if facts is None:
        measurement, seconds = yield from compute(panel, metric, parameters, subject)
        learn_metric(context.pace, panel.model, subject.outline, metric, cost, seconds)
        facts = MeasurementFacts(
            figures=dict(measurement.figures), maps=list(measurement.maps), seconds=round(seconds, 3)
        )
        store.put(job.id, name, kept, pack(whole(measurement.maps)), facts.to_dict())
    return measured(job.id, panel, chosen, facts, cost, from_store)


def _facts(stored: JsonObject | None) -> MeasurementFacts | None:
    """What is kept of a metric; None where there is nothing, or it is damaged."""
    try:
        return None if stored is None else MeasurementFacts.model_validate(stored)
    except ValidationError:
        log.warning("a stored measurement is damaged and is computed again")
        return None


def compute(
    panel: PlannedPanel, metric: Metric[Any], parameters: Parameters, subject: ExplainedMap
) -> Generator[Event | None, None, tuple[Measurement, float]]:
    """Run a metric turn by turn, with its progress. Seconds count its own turns only."""
    last = -1.0
    with TimedGenerator(metric.measure(subject, parameters)) as steps:
        for step in steps:
            now = time.monotonic()
            if now - last >= PROGRESS_SECONDS or step.done == step.total:
                last = now
                yield ProgressEvent(panel=panel.id, metric=metric.id, done=step.done, total=step.total)
            yield None
    return steps.result, steps.seconds


def whole(maps: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Maps as arrays. Raises `ComputationFailed` where a value is not finite."""
    arrays = {name: values.detach().float().cpu().numpy() for name, values in maps.items()}
    if not all(np.isfinite(values).all() for values in arrays.values()):
        raise ComputationFailed("A map made on the way holds values that are not finite (NaN or infinity).")
    return arrays
