"""The stages of a job: decode → preprocess → predict → (probe images → gradients) → store.

Everything here runs in a worker. A run is a generator: it yields events for the client, and `None` after every
micro-batch, where another request may take its turn or this one may be closed.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from ..contract.jobs import Estimate, Event, Explain, Flow, Job, Labels, Locate, Measure, Predict, Refresh
from ..contract.problems import ComputationFailed, Problem, problem_from_dict
from ..storage.store import deleted_problem
from ..zoo.zoo import Zoo
from .context import Context
from .estimate import estimate
from .flow import flow
from .model_input import InputImage, ModelInput, Waiting, make_model_input, png, scaled_png
from .panel import make_panel, shared_passes
from .plan import PlannedPanel, check_panels, plan, set_targets
from .problems import as_problem, told_as_problems
from .records import end_of, input_record, new_record, outcome, panel_record
from .turns import Run, reserve_models, round_robin


def run(job: Job, context: Context) -> Run:
    """Start a job. Its last event is `done`, or `result` for small jobs. Raises `Problem`."""
    with told_as_problems():
        yield from _run(job, context)


def _run(job: Job, context: Context) -> Run:
    if isinstance(job, Explain):
        return explain(job, context)
    if isinstance(job, Measure):
        return measure(job, context)
    if isinstance(job, Predict):
        return predict(job, context)
    if isinstance(job, Flow):
        return flow(job, context)
    if isinstance(job, Estimate):
        return estimate(job, context)
    return answer_without_picture(job, context.zoo)


def answer_without_picture(job: Labels | Locate | Refresh, zoo: Zoo) -> Run:
    """Jobs without a picture."""
    if isinstance(job, Labels):
        yield Event("result", {"labels": list(zoo.labels(job.model))})
    elif isinstance(job, Locate):
        file = zoo.recipe(job.model).weights
        yield Event(
            "result", {"file": zoo.weights.with_pinned_revision(file), "ready": zoo.weights.find(file) is not None}
        )
    else:
        zoo.refresh()
        yield Event("result", {})


def predict(job: Predict, context: Context) -> Run:
    """Predict the top classes of a picture, model by model."""
    models = job.models or (context.settings.default_model,)
    for model in models:
        context.zoo.recipe(model)
    picture = yield from InputImage.open(job.picture, context, job.owner)
    predictions = []
    for model in models:
        with (yield from reserve_models(context.zoo, [model])):
            model_input = yield from make_model_input(context, picture, model, job, job.top_k)
        predictions.append({"model": model, "classes": model_input.classes})
        yield None
    yield Event("result", {"predictions": predictions})


def explain(job: Explain, context: Context) -> Run:
    """Explain one picture: events as in the REST contract. If the request is refused, raises `Problem` before the first
    event."""
    began = time.monotonic()
    panels = plan(job, context.zoo, context.settings)
    picture = yield from InputImage.open(job.picture, context, job.owner)
    model_inputs = yield from make_model_inputs(job, context, picture, panels)
    record = create_record(job, context, picture)
    try:
        yield Event("accepted", _accepted(job, context, panels, model_inputs))
        for model_input in model_inputs.values():
            store_input(job, context, picture, model_input, record)
            yield Event("prediction", _prediction(record["inputs"][-1]))
        yield from store_image(job, context, picture)
        yield None
        for event in make_panels(job, context, picture, panels, model_inputs):
            if event is not None and event.name in ("panel", "metric"):
                record["panels"] = [p.record for p in panels if p.record.get("status")]
                record["seconds"] = round(time.monotonic() - began, 3)
                record["status"] = "done" if all(map(is_complete, panels)) else "running"
                merge_stored_metrics(context, record)
                context.store.update(job.id, record)
            yield event
    except (GeneratorExit, Exception) as error:
        if record["status"] != "done":  # a client may leave after the last panel
            with suppress(Problem):  # the explanation may be deleted, or the disk full
                context.store.update(job.id, record | end_of(error))
        raise
    yield Event("done", record)


def measure(job: Measure, context: Context) -> Run:
    """Measure metrics of a stored panel, and add the results to the explanation's record."""
    request = job.request
    (panel,) = panels = plan(request, context.zoo, context.settings)
    panel.id = job.panel
    picture = yield from InputImage.open(request.picture, context, request.owner)
    model_inputs = yield from make_model_inputs(request, context, picture, panels)
    yield Event("accepted", {"panel": panel.id, **_accepted(request, context, panels, model_inputs)})
    for event in make_panels(request, context, picture, panels, model_inputs):
        if event is not None and event.name == "panel":
            if panel.record["status"] != "done":
                raise problem_from_dict(panel.record["problem"])
            continue  # the client has this panel already
        if event is not None and event.name == "metric":
            update_panel(context, job.id, panel.record)
        yield event
    record = context.store.load(job.id)
    if record is None:
        raise deleted_problem()
    yield Event("done", record)


def update_panel(context: Context, explanation: str, new: dict[str, Any]) -> None:
    """Update a panel in the explanation's stored record. Raises `NotFound` if the explanation is gone."""
    record = context.store.load(explanation)
    if record is None:
        raise deleted_problem()
    for number, panel in enumerate(record["panels"]):
        if panel["id"] == new["id"]:
            metrics = {**panel.get("metrics", {}), **new["metrics"]}
            kept = {"from_store": panel["from_store"], "metrics": metrics}
            record["panels"][number] = new | kept
    context.store.update(explanation, record)


def merge_stored_metrics(context: Context, record: dict[str, Any]) -> None:
    """Copy metrics that other requests have measured meanwhile from the stored record into `record`."""
    stored = context.store.load(record["id"])
    if stored is not None:
        measured = {panel["id"]: panel["metrics"] for panel in stored["panels"]}
        for panel in record["panels"]:
            panel["metrics"] = measured.get(panel["id"], {}) | panel["metrics"]


def is_complete(panel: PlannedPanel) -> bool:
    """Whether a panel and all of its metrics are finished."""
    record = panel.record
    all_done = record.get("status") == "done" and all(metric.id in record["metrics"] for metric, _ in panel.metrics)
    return all_done or record.get("status") in ("refused", "failed")


def make_model_inputs(
    job: Explain, context: Context, picture: InputImage, panels: list[PlannedPanel]
) -> Waiting[dict[str, ModelInput]]:
    """Make the input of each model, and decide which panels are possible and what their targets are.

    If a model cannot be loaded, only its own panels are refused. Raises the refusal if no panel is left.
    """
    model_inputs: dict[str, ModelInput] = {}
    for model in dict.fromkeys(panel.model for panel in panels):
        own_panels = [panel for panel in panels if panel.model == model]
        try:
            with (yield from reserve_models(context.zoo, [model])):
                model_input = yield from make_model_input(context, picture, model, job)
                check_panels(own_panels, job, model_input.load(context.zoo))
        except Exception as error:
            refusal = as_problem(error)
            for panel in own_panels:
                panel.refusal = refusal
        else:
            model_inputs[model] = model_input
        yield None
    set_targets(panels, {model: model_input.classes[0]["index"] for model, model_input in model_inputs.items()})
    return model_inputs


def make_panels(
    job: Explain, context: Context, picture: InputImage, panels: list[PlannedPanel], model_inputs: dict[str, ModelInput]
) -> Run:
    """Compute all panels. Panels of models that fit into memory together take turns; other models follow."""
    for panel in panels:
        if panel.model not in model_inputs:
            panel.record = panel_record(panel, context.zoo)
            panel.record |= outcome(panel.refusal or ComputationFailed("The model could not be had."))
            yield Event("panel", {"panel": panel.record, "map": None})
    for group in context.zoo.groups(model_inputs):
        own_panels = [panel for panel in panels if panel.model in group]
        ordered = sorted(own_panels, key=lambda p: p.map_cost(model_inputs[p.model].input.size).total)
        with (yield from reserve_models(context.zoo, group)):
            shared = shared_passes(own_panels, {model: model_inputs[model] for model in group}, context.zoo)
            yield from round_robin(
                make_panel(panel, job, context, picture, model_inputs[panel.model], shared.get(panel.id))
                for panel in ordered
            )


def create_record(job: Explain, context: Context, picture: InputImage) -> dict[str, Any]:
    """Create the record in the store, with the picture as it was sent, for later requests."""
    record = new_record(job, context, picture.size)
    store, source = context.store, picture.hash
    store.create(job.id, record, job.owner)
    if store.attach(job.id, "source", store.key("source", source)) is None:
        store.put(job.id, "source", store.key("source", source), job.picture, {})
    return record


def store_image(job: Explain, context: Context, picture: InputImage) -> Waiting[None]:
    """Store the scaled picture. For a large picture that takes longer than the prediction, so it is done after it."""
    store = context.store
    key = store.key("image", picture.hash)
    if store.attach(job.id, "image", key) is None:
        yield from picture.decode_in_turns()
        store.put(job.id, "image", key, scaled_png(picture.image), {})


def store_input(
    job: Explain, context: Context, picture: InputImage, model_input: ModelInput, record: dict[str, Any]
) -> None:
    """Put a model's input and predictions into the record and the store."""
    store, name = context.store, f"input:{model_input.model}"
    key = store.key("input", picture.hash, model_input.input.model_dump())
    if store.attach(job.id, name, key) is None:
        store.put(job.id, name, key, png(model_input.seen.picture), {})
    record["inputs"].append(input_record(job, model_input))
    store.update(job.id, record)


def _accepted(
    job: Explain, context: Context, panels: list[PlannedPanel], model_inputs: dict[str, ModelInput]
) -> dict[str, Any]:
    evaluations = measuring = 0
    planned_panels = []
    for panel in panels:
        known = model_inputs.get(panel.model)
        input = known.input if known else context.zoo.recipe(panel.model).input
        cost = panel.map_cost(input.size).total
        planned: dict[str, Any] = {
            "id": panel.id,
            "model": panel.model,
            "method": panel.method.id,
            "target": panel.target,
            "cost": cost,
        }
        evaluations += 0 if panel.refusal else cost
        if panel.metrics and not panel.refusal:
            costs = panel.cost(model_inputs[panel.model].load(context.zoo).classifier)
            planned["metrics"] = [{"metric": id, **cost.to_dict()} for id, cost in costs.metrics.items()]
            measuring += costs.measuring
        planned_panels.append(planned)
    accepted = {"id": job.id, "panels": planned_panels, "gradient_evaluations": evaluations}
    return accepted | ({"metric_evaluations": measuring} if job.metrics else {})


def _prediction(seen: dict[str, Any]) -> dict[str, Any]:
    return {"model": seen["model"], "input": seen, "predictions": seen["predictions"]}
