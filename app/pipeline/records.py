"""Builds the records of an explanation, of what each model saw, and of each panel and metric."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import quote

import numpy as np
import torch

from ..attribution.engine import Engine
from ..attribution.methods.base import Attribution, Parameters
from ..attribution.metrics.base import Metric, MetricCost
from ..contract.arrays import statistics
from ..contract.jobs import Explain
from ..contract.metrics import MeasurementBody, MeasurementFacts
from ..contract.metrics import MetricCost as MetricCostBody
from ..contract.predictions import ClassBody
from ..contract.problems import ComputationFailed, Problem
from ..contract.records import (
    Ending,
    EngineBody,
    Explanation,
    ImageBody,
    InputBody,
    MapFacts,
    MissingPanelBody,
    PanelBody,
    PanelUrls,
)
from ..contract.wire import JsonObject
from ..zoo.zoo import Zoo
from .context import Context
from .findings import findings
from .model_input import ModelInput
from .notes import notes
from .plan import PlannedPanel
from .problems import as_problem

Outcome = Literal["refused", "failed"]


def new_record(job: Explain, context: Context, size: tuple[int, int]) -> Explanation:
    """The record of an explanation that begins; `size` is the picture's, (width, height)."""
    return Explanation(
        id=job.id,
        url=f"/e/{job.id}",
        status="running",
        problem=None,
        seed=job.seed,
        score=job.score_name or job.score,
        seconds=0.0,
        versions=context.versions,
        image=ImageBody(width=size[0], height=size[1]),
        inputs=[],
        panels=[],
    )


def end_of(error: GeneratorExit | Exception) -> Ending:
    """What has become of an explanation that is not done, by what has ended it."""
    if isinstance(error, GeneratorExit):
        return Ending(status="cancelled")
    return Ending(status="failed", problem=as_problem(error).body())


def input_record(job: Explain, model_input: ModelInput) -> InputBody:
    """What a model saw, and what it predicts."""
    return InputBody(
        model=model_input.model,
        size=list(model_input.input.size),
        fit=model_input.input.fit,
        crop=[round(edge, 3) for edge in model_input.preprocessed.crop],
        url=f"/api/v1/explanations/{job.id}/inputs/{quote(model_input.model, safe=':')}.png",
        predictions=model_input.classes,
        targets=model_input.targets,
        notes=model_input.notes,
    )


def made_panel(job: Explain, panel: PlannedPanel, zoo: Zoo, facts: MapFacts, from_store: bool) -> PanelBody:
    """The record of a panel whose map is there."""
    url = f"/api/v1/explanations/{job.id}/panels/{panel.id}"
    record = _empty_panel(panel, zoo, "done")
    record.shape, record.statistics, record.diagnostics = facts.shape, facts.statistics, facts.diagnostics
    record.notes = notes(panel.method, panel.parameters, job.score, facts.statistics)
    record.seconds, record.from_store = facts.seconds, from_store
    record.urls = PanelUrls(npy=f"{url}.npy", png=f"{url}.png")
    return record


def unmade_panel(panel: PlannedPanel, zoo: Zoo, problem: Problem) -> PanelBody:
    """The record of a panel that has no map: refused, where the request or the model is why, or failed."""
    record = _empty_panel(panel, zoo, outcome(problem))
    record.problem = problem.body()
    return record


def missing_panels(panels: list[PlannedPanel], zoo: Zoo) -> list[MissingPanelBody]:
    """The panels of which nothing has come yet."""
    return [
        MissingPanelBody(
            model=panel.model,
            method=panel.method.id,
            target=_named(panel.model, panel.target, zoo),
            against=_named(panel.model, panel.against, zoo),
            parameters=panel.parameters.model_dump(),
        )
        for panel in panels
        if panel.record is None
    ]


def _named(model: str, index: int | None, zoo: Zoo) -> ClassBody | None:
    """A class of a model with its label."""
    if index is None:
        return None
    labels = zoo.labels(model)
    return ClassBody(index=index, label=labels[index] if 0 <= index < len(labels) else f"class {index}")


def _empty_panel(panel: PlannedPanel, zoo: Zoo, status: Literal["done"] | Outcome) -> PanelBody:
    return PanelBody(
        id=panel.id,
        status=status,
        model=panel.model,
        method=panel.method.id,
        target=_named(panel.model, panel.target, zoo),
        against=_named(panel.model, panel.against, zoo),
        parameters=panel.parameters.model_dump(),
        shape=None,
        statistics=None,
        diagnostics={},
        seconds=0.0,
        from_store=False,
        urls=PanelUrls(npy=None, png=None),
        metrics={},
        problem=None,
    )


def measured(
    explanation: str,
    panel: PlannedPanel,
    chosen: tuple[Metric[Any], Parameters],
    facts: MeasurementFacts,
    cost: MetricCost,
    from_store: bool,
) -> MeasurementBody:
    """The record of a metric that was measured."""
    metric, _ = chosen
    url = f"/api/v1/explanations/{explanation}/panels/{panel.id}/metrics/{metric.id}"
    record = _empty_measurement(*chosen, "done")
    record.cost = MetricCostBody(forwards=cost.forwards, gradients=cost.gradients)
    record.seconds, record.from_store, record.figures = facts.seconds, from_store, facts.figures
    record.findings = [finding.record() for finding in findings(metric.id, facts.figures, panel.method)]
    record.maps = {name: f"{url}/{name}.npy" for name in facts.maps}
    return record


def unmeasured(metric: Metric[Any], parameters: Parameters, problem: Problem) -> MeasurementBody:
    """The record of a metric that was refused, or has failed."""
    record = _empty_measurement(metric, parameters, outcome(problem))
    record.problem = problem.body()
    return record


def _empty_measurement(
    metric: Metric[Any], parameters: Parameters, status: Literal["done"] | Outcome
) -> MeasurementBody:
    return MeasurementBody(
        metric=metric.id,
        status=status,
        parameters=parameters.model_dump(),
        cost=None,
        seconds=0.0,
        from_store=False,
        figures=None,
        findings=[],
        maps={},
        problem=None,
    )


def map_and_facts(attribution: Attribution, seconds: float, engine: Engine) -> tuple[np.ndarray, MapFacts]:
    """A map's values, and what is kept beside them. Raises `ComputationFailed` where one is not finite."""
    values = attribution.values.detach().float().cpu().numpy()
    if not np.isfinite(values).all():
        raise ComputationFailed("The map holds values that are not finite (NaN or infinity), so it is not shown.")
    return values, MapFacts(
        shape=list(values.shape),
        statistics=statistics(values),
        diagnostics={
            **attribution.diagnostics,
            **({"shared_gradients": engine.shared} if engine.shared else {}),
            **score_named(engine),
            "engine": engine_body(engine).to_dict(),
        },
        seconds=round(seconds, 3),
    )


def score_named(engine: Engine) -> JsonObject:
    """The name of a score that is none of a class: `{"score": name}`; else nothing."""
    return {} if engine.classifier.scalar is None else {"score": engine.classifier.scalar}


def engine_body(engine: Engine) -> EngineBody:
    """What has computed a map by this engine."""
    return EngineBody(
        backend=", ".join(engine.used),
        device=engine.classifier.device.type,
        dtype=str(engine.classifier.dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
    )


def outcome(problem: Problem) -> Outcome:
    """`refused`, where the request or the model is why; else `failed`."""
    return "refused" if problem.status < 500 else "failed"
