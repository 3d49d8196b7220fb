"""What is told and kept of an explanation, of what each model saw, and of each panel."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..attribution.methods.base import Attribution, Parameters
from ..attribution.metrics.base import Metric, MetricCost
from ..contract.arrays import statistics
from ..contract.jobs import Explain
from ..contract.problems import ComputationFailed, Problem
from ..zoo.zoo import Zoo
from .context import Context
from .findings import findings
from .model_input import ModelInput
from .plan import PlannedPanel
from .problems import as_problem


def new_record(job: Explain, context: Context, size: tuple[int, int]) -> dict[str, Any]:
    """The record of an explanation that begins; `size` is the picture's, (width, height)."""
    return {
        "id": job.id,
        "url": f"/e/{job.id}",
        "status": "running",
        "problem": None,
        "seed": job.seed,
        "score": job.score,
        "seconds": 0.0,
        "versions": context.versions,
        "image": {"width": size[0], "height": size[1]},
        "inputs": [],
        "panels": [],
    }


def end_of(error: GeneratorExit | Exception) -> dict[str, Any]:
    """What the record says of an explanation that is not done, by what has ended it."""
    if isinstance(error, GeneratorExit):
        return {"status": "cancelled"}
    return {"status": "failed", "problem": as_problem(error).as_dict()}


def input_record(job: Explain, sight: ModelInput) -> dict[str, Any]:
    """What a model saw, and what it believes."""
    return {
        "model": sight.model,
        "size": list(sight.input.size),
        "fit": sight.input.fit,
        "crop": [round(edge, 3) for edge in sight.seen.crop],
        "url": f"/api/v1/explanations/{job.id}/inputs/{sight.model}.png",
        "predictions": sight.classes,
        "targets": sight.targets,
    }


def panel_record(panel: PlannedPanel, zoo: Zoo) -> dict[str, Any]:
    """A panel that nothing has come of yet."""
    labels = zoo.labels(panel.model)

    def named(index: int | None) -> dict[str, Any] | None:
        if index is None:
            return None
        return {"index": index, "label": labels[index] if 0 <= index < len(labels) else f"class {index}"}

    return {
        "id": panel.id,
        "status": None,  # not settled yet
        "model": panel.model,
        "method": panel.method.id,
        "target": named(panel.target),
        "against": named(panel.against),
        "parameters": panel.parameters.model_dump(),
        "shape": None,
        "statistics": None,
        "diagnostics": {},
        "seconds": 0.0,
        "from_store": False,
        "urls": {"npy": None, "png": None},
        "metrics": {},
        "problem": None,
    }


def metric_record(metric: Metric[Any], parameters: Parameters) -> dict[str, Any]:
    """A metric of a panel that nothing has come of yet."""
    return {
        "metric": metric.id,
        "status": None,  # not settled yet
        "parameters": parameters.model_dump(),
        "cost": None,
        "seconds": 0.0,
        "from_store": False,
        "figures": None,
        "findings": [],
        "maps": {},
        "problem": None,
    }


def metric_done(
    explanation: str, panel: PlannedPanel, metric: Metric[Any], found: dict[str, Any], cost: MetricCost
) -> dict[str, Any]:
    """A metric that was measured: `found` are its figures, the names of its maps, and the seconds it took."""
    url = f"/api/v1/explanations/{explanation}/panels/{panel.id}/metrics/{metric.id}"
    return {
        "status": "done",
        "cost": cost.to_dict(),
        "seconds": found["seconds"],
        "figures": found["figures"],
        "findings": [finding.told() for finding in findings(metric.id, found["figures"], panel.method)],
        "maps": {name: f"{url}/{name}.npy" for name in found["maps"]},
    }


def finished(attribution: Attribution, seconds: float) -> tuple[np.ndarray, dict[str, Any]]:
    """A map's values, and what is told of them. Raises `ComputationFailed` where one is not finite."""
    values = attribution.values.detach().float().cpu().numpy()
    if not np.isfinite(values).all():
        raise ComputationFailed("The map holds values that are not finite (NaN or infinity), so it is not shown.")
    return values, {
        "shape": list(values.shape),
        "statistics": statistics(values),
        "diagnostics": attribution.diagnostics,
        "seconds": round(seconds, 3),
    }


def done(job: Explain, panel: PlannedPanel, about: dict[str, Any]) -> dict[str, Any]:
    """A panel whose map is there."""
    url = f"/api/v1/explanations/{job.id}/panels/{panel.id}"
    return {"status": "done", **about, "urls": {"npy": f"{url}.npy", "png": f"{url}.png"}}


def outcome(problem: Problem) -> dict[str, Any]:
    """A panel that is not made: refused, where the request or the model is why, or failed."""
    return {"status": "refused" if problem.status < 500 else "failed", "problem": problem.as_dict()}
