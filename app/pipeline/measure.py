"""Measures the metrics of a panel: each comes from the store if it is there, otherwise it is computed in turns."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from ..attribution.methods.base import Parameters
from ..attribution.metrics.base import ExplainedMap, Measurement, Metric
from ..contract.arrays import measurement_part, pack
from ..contract.jobs import Event, Explain
from ..contract.problems import ComputationFailed
from .context import Context
from .cost import learn_metric
from .plan import Chosen, PlannedPanel
from .problems import as_problem
from .records import metric_done, metric_record, outcome
from .turns import PROGRESS_SECONDS, Run, TimedGenerator


def measure_all(panel: PlannedPanel, key: str, explained: ExplainedMap, job: Explain, context: Context) -> Run:
    """Measure the metrics of a finished panel one after the other. `key` is the store's key of its map."""
    for metric, parameters in panel.metrics:
        record = metric_record(metric, parameters)
        try:
            yield from _measure(record, panel, (metric, parameters), key, explained, job, context)
        except Exception as error:
            record |= outcome(as_problem(error))
        panel.record["metrics"][metric.id] = record
        yield Event("metric", {"panel": panel.id, "metric": record})
        yield None


def _measure(
    record: dict[str, Any],
    panel: PlannedPanel,
    chosen: Chosen,
    key: str,
    explained: ExplainedMap,
    job: Explain,
    context: Context,
) -> Run:
    metric, parameters = chosen
    metric.check(explained, parameters)
    cost = metric.cost(explained.outline, parameters)
    name, store = measurement_part(panel.id, metric.id), context.store
    store_key = store.key("metric", key, metric.id, parameters.model_dump(), job.seed)
    found = store.attach(job.id, name, store_key)
    record["from_store"] = found is not None
    if found is None:
        measurement, seconds = yield from compute(panel, metric, parameters, explained)
        learn_metric(context.throughput, panel.model, explained.outline, metric, cost, seconds)
        found = {"figures": measurement.figures, "maps": list(measurement.maps), "seconds": round(seconds, 3)}
        store.put(job.id, name, store_key, pack(as_arrays(measurement.maps)), found)
    record |= metric_done(job.id, panel, metric, found, cost)


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
                progress = {"panel": panel.id, "metric": metric.id, "done": step.done, "total": step.total}
                yield Event("progress", progress)
            yield None
    return steps.result, steps.seconds


def as_arrays(maps: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Maps as arrays. Raises `ComputationFailed` if a value is not finite."""
    arrays = {name: values.detach().float().cpu().numpy() for name, values in maps.items()}
    if not all(np.isfinite(values).all() for values in arrays.values()):
        raise ComputationFailed("A map made on the way holds values that are not finite (NaN or infinity).")
    return arrays
