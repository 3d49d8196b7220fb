"""upload → decode → preprocess → (probe images → gradients) → reduce → store → render: the order of the stages.

Everything here runs in a worker. A run is a generator: it yields events for the client, and `None` after every
micro-batch, where another request may take its turn or this one be closed.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from ..contract.jobs import Estimate, Event, Explain, Flow, Job, Labels, Locate, Measure, Predict, Refresh
from ..contract.problems import ComputationFailed, Problem, revived
from ..storage.store import forgotten
from ..zoo.zoo import Zoo
from .context import Workshop
from .estimate import estimate
from .flow import flow
from .model_input import Sight, Subject, Waiting, look, png, shown
from .panel import make, shared_ways
from .plan import Panel, examine, outline, plan, settle_targets
from .records import end_of, input_record, new_record, outcome, panel_record, told_cost
from .turns import Run, as_problem, held, side_by_side


def run(job: Job, workshop: Workshop) -> Run:
    """The run of a job; its last event is `done`, or `result` for the small ones. Raises `Problem`."""
    if isinstance(job, Explain):
        return explain(job, workshop)
    if isinstance(job, Measure):
        return measure(job, workshop)
    if isinstance(job, Predict):
        return predict(job, workshop)
    if isinstance(job, Flow):
        return flow(job, workshop)
    if isinstance(job, Estimate):
        return estimate(job, workshop)
    return tell(job, workshop.zoo)


def tell(job: Labels | Locate | Refresh, zoo: Zoo) -> Run:
    """What needs no picture."""
    if isinstance(job, Labels):
        yield Event("result", {"labels": list(zoo.labels(job.model))})
    elif isinstance(job, Locate):
        file = zoo.recipe(job.model).weights
        yield Event("result", {"file": zoo.weights.settled(file), "ready": zoo.weights.find(file) is not None})
    else:
        zoo.refresh()
        yield Event("result", {})


def predict(job: Predict, workshop: Workshop) -> Run:
    """Top classes of a picture, model by model."""
    models = job.models or (workshop.settings.default_model,)
    for model in models:
        workshop.zoo.recipe(model)
    subject = yield from Subject.open(job.picture, workshop, job.owner)
    predictions = []
    for model in models:
        with (yield from held(workshop.zoo, [model])):
            sight = yield from look(workshop, subject, model, job, job.top_k)
        predictions.append({"model": model, "classes": sight.classes})
        yield None
    yield Event("result", {"predictions": predictions})


def explain(job: Explain, workshop: Workshop) -> Run:
    """Explain one picture: events as in the REST contract. Refusals come as `Problem` before the first event."""
    began = time.monotonic()
    panels = plan(job, workshop.zoo, workshop.settings)
    subject = yield from Subject.open(job.picture, workshop, job.owner)
    sights = yield from look_all(job, workshop, subject, panels)
    record = begin(job, workshop, subject)
    try:
        yield Event("accepted", _accepted(job, workshop, panels, sights))
        for sight in sights.values():
            keep_input(job, workshop, subject, sight, record)
            yield Event("prediction", _prediction(record["inputs"][-1]))
        yield from keep_image(job, workshop, subject)
        yield None
        for event in make_all(job, workshop, subject, panels, sights):
            if event is not None and event.name in ("panel", "metric"):
                record["panels"] = [p.record for p in panels if p.record.get("status")]
                record["seconds"] = round(time.monotonic() - began, 3)
                record["status"] = "done" if all(map(is_settled, panels)) else "running"
                keep_others_metrics(workshop, record)
                workshop.store.update(job.id, record)
            yield event
    except (GeneratorExit, Exception) as error:
        if record["status"] != "done":  # a client may leave with the last panel in its hands
            with suppress(Problem):  # it may be cancelled because it was deleted, or the disk be full
                workshop.store.update(job.id, record | end_of(error))
        raise
    yield Event("done", record)


def measure(job: Measure, workshop: Workshop) -> Run:
    """Measure a panel of an explanation that is kept, and write what comes of it into the explanation's record."""
    question = job.question
    (panel,) = panels = plan(question, workshop.zoo, workshop.settings)
    panel.id = job.panel
    subject = yield from Subject.open(question.picture, workshop, question.owner)
    sights = yield from look_all(question, workshop, subject, panels)
    yield Event("accepted", {"panel": panel.id, **_accepted(question, workshop, panels, sights)})
    for event in make_all(question, workshop, subject, panels, sights):
        if event is not None and event.name == "panel":
            if panel.record["status"] != "done":
                raise revived(panel.record["problem"])
            continue  # it was told before
        if event is not None and event.name == "metric":
            note(workshop, job.id, panel.record)
        yield event
    record = workshop.store.load(job.id)
    if record is None:
        raise forgotten()
    yield Event("done", record)


def note(workshop: Workshop, explanation: str, told: dict[str, Any]) -> None:
    """Write what is known of a panel now into the explanation's record. Raises `NotFound` where that is gone."""
    record = workshop.store.load(explanation)
    if record is None:
        raise forgotten()
    for number, panel in enumerate(record["panels"]):
        if panel["id"] == told["id"]:
            known = {"from_store": panel["from_store"], "metrics": {**panel.get("metrics", {}), **told["metrics"]}}
            record["panels"][number] = told | known
    workshop.store.update(explanation, record)


def keep_others_metrics(workshop: Workshop, record: dict[str, Any]) -> None:
    """Take over into a record that is still written what was measured of its panels by requests of their own."""
    stored = workshop.store.load(record["id"])
    if stored is not None:
        measured = {panel["id"]: panel["metrics"] for panel in stored["panels"]}
        for panel in record["panels"]:
            panel["metrics"] = measured.get(panel["id"], {}) | panel["metrics"]


def is_settled(panel: Panel) -> bool:
    """Whether nothing more will come of a panel."""
    record = panel.record
    whole = record.get("status") == "done" and all(metric.id in record["metrics"] for metric, _ in panel.metrics)
    return whole or record.get("status") in ("refused", "failed")


def look_all(job: Explain, workshop: Workshop, subject: Subject, panels: list[Panel]) -> Waiting[dict[str, Sight]]:
    """Show the picture to each model, and settle what can be made of it: which panels, and their targets.

    A model that cannot be had takes only its own panels with it. Raises the refusal where no panel is left.
    """
    sights: dict[str, Sight] = {}
    for model in dict.fromkeys(panel.model for panel in panels):
        mine = [panel for panel in panels if panel.model == model]
        try:
            with (yield from held(workshop.zoo, [model])):
                sight = yield from look(workshop, subject, model, job)
                examine(mine, job, sight.classifier(workshop.zoo))
        except Exception as error:
            refusal = as_problem(error)
            for panel in mine:
                panel.refusal = refusal
        else:
            sights[model] = sight
        yield None
    settle_targets(panels, {model: sight.classes[0]["index"] for model, sight in sights.items()})
    return sights


def make_all(job: Explain, workshop: Workshop, subject: Subject, panels: list[Panel], sights: dict[str, Sight]) -> Run:
    """All panels: those of models that fit into memory together side by side, the others after them."""
    for panel in panels:
        if panel.model not in sights:
            panel.record = panel_record(panel, workshop.zoo)
            panel.record |= outcome(panel.refusal or ComputationFailed("The model could not be had."))
            yield Event("panel", {"panel": panel.record, "map": None})
    for group in workshop.zoo.groups(sights):
        mine = [panel for panel in panels if panel.model in group]
        ordered = sorted(mine, key=lambda p: p.method.cost(p.parameters, sights[p.model].input.size))
        with (yield from held(workshop.zoo, group)):
            ways = shared_ways(mine, {model: sights[model] for model in group}, workshop.zoo)
            yield from side_by_side(
                make(panel, job, workshop, subject, sights[panel.model], ways.get(panel.id)) for panel in ordered
            )


def begin(job: Explain, workshop: Workshop, subject: Subject) -> dict[str, Any]:
    """Open the record in the store, with the picture as it was sent, to be used again."""
    record = new_record(job, workshop, subject.size)
    store, source = workshop.store, subject.hash
    store.create(job.id, record, job.owner)
    if store.attach(job.id, "source", store.key("source", source)) is None:
        store.put(job.id, "source", store.key("source", source), job.picture, {})
    return record


def keep_image(job: Explain, workshop: Workshop, subject: Subject) -> Waiting[None]:
    """Put the picture as it is served into the store: of a large one that takes longer than to see what it shows."""
    store = workshop.store
    key = store.key("image", subject.hash)
    if store.attach(job.id, "image", key) is None:
        yield from subject.decoded()
        store.put(job.id, "image", key, shown(subject.image), {})


def keep_input(job: Explain, workshop: Workshop, subject: Subject, sight: Sight, record: dict[str, Any]) -> None:
    """Put what a model saw, and what it believes, into the record and the store."""
    store, name = workshop.store, f"input:{sight.model}"
    key = store.key("input", subject.hash, sight.input.model_dump())
    if store.attach(job.id, name, key) is None:
        store.put(job.id, name, key, png(sight.seen.picture), {})
    record["inputs"].append(input_record(job, sight))
    store.update(job.id, record)


def _accepted(job: Explain, workshop: Workshop, panels: list[Panel], sights: dict[str, Sight]) -> dict[str, Any]:
    evaluations = measuring = 0
    listed = []
    for panel in panels:
        input = sights[panel.model].input if panel.model in sights else workshop.zoo.recipe(panel.model).input
        cost = panel.method.cost(panel.parameters, input.size)
        planned: dict[str, Any] = {
            "id": panel.id,
            "model": panel.model,
            "method": panel.method.id,
            "target": panel.target,
            "cost": cost,
        }
        evaluations += 0 if panel.refusal else cost
        if panel.metrics and not panel.refusal:
            known = outline(panel, sights[panel.model].classifier(workshop.zoo))
            costs = {metric.id: metric.cost(known, parameters) for metric, parameters in panel.metrics}
            planned["metrics"] = [{"metric": id, **told_cost(cost)} for id, cost in costs.items()]
            measuring += sum(cost.total for cost in costs.values())
        listed.append(planned)
    told = {"id": job.id, "panels": listed, "gradient_evaluations": evaluations}
    return told | ({"metric_evaluations": measuring} if job.metrics else {})


def _prediction(seen: dict[str, Any]) -> dict[str, Any]:
    return {"model": seen["model"], "input": seen, "predictions": seen["predictions"]}
