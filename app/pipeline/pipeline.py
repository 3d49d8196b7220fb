"""upload → decode → preprocess → (probe images → gradients) → reduce → store → render: the order of the stages.

Everything here runs in a worker. A run is a generator: it yields events for the client, and `None` after every
micro-batch, where another request may take its turn or this one be closed.
"""

from __future__ import annotations

import time
from contextlib import suppress

from ..contract.events import (
    AcceptedEvent,
    DoneEvent,
    MetricEvent,
    PanelEvent,
    PlannedMetric,
    PlannedPanelBody,
    PredictionEvent,
    ResultEvent,
)
from ..contract.jobs import Estimate, Explain, Flow, Job, Labels, Locate, Measure, Predict, Refresh
from ..contract.predictions import LabelList, Prediction, Predictions
from ..contract.problems import ComputationFailed, Problem, problem_from_body
from ..contract.records import Explanation, InputBody, PanelBody
from ..contract.server import Refreshed
from ..storage.records import load_record
from ..storage.store import forgotten
from ..zoo.weights import Location
from ..zoo.zoo import Zoo
from .context import Context
from .estimate import estimate
from .flow import flow
from .model_input import InputImage, ModelInput, Waiting, look, png, shown
from .panel import make_panel, shared_passes
from .plan import PlannedPanel, examine, plan, settle_targets
from .problems import as_problem, told_as_problems
from .records import end_of, input_record, new_record, unmade_panel
from .turns import Run, reserve_models, round_robin


def run(job: Job, context: Context) -> Run:
    """The run of a job; its last event is `done`, or `result` for the small ones. Raises `Problem`."""
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
    return tell(job, context.zoo)


def tell(job: Labels | Locate | Refresh, zoo: Zoo) -> Run:
    """What needs no picture."""
    if isinstance(job, Labels):
        yield ResultEvent(result=LabelList(labels=list(zoo.labels(job.model))))
    elif isinstance(job, Locate):
        file = zoo.recipe(job.model).weights
        location = Location(file=zoo.weights.settled(file), ready=zoo.weights.find(file) is not None)
        yield ResultEvent(result=location)
    else:
        zoo.refresh()
        yield ResultEvent(result=Refreshed())


def predict(job: Predict, context: Context) -> Run:
    """Top classes of a picture, model by model."""
    models = job.models or (context.settings.default_model,)
    for model in models:
        context.zoo.recipe(model)
    subject = yield from InputImage.open(job.picture, context, job.owner)
    predictions = []
    for model in models:
        with (yield from reserve_models(context.zoo, [model])):
            sight = yield from look(context, subject, model, job, job.top_k)
        predictions.append(Prediction(model=model, classes=sight.classes))
        yield None
    yield ResultEvent(result=Predictions(predictions=predictions))


def explain(job: Explain, context: Context) -> Run:
    """Explain one picture: events as in the REST contract. Refusals come as `Problem` before the first event."""
    began = time.monotonic()
    panels = plan(job, context.zoo, context.settings)
    subject = yield from InputImage.open(job.picture, context, job.owner)
    sights = yield from look_all(job, context, subject, panels)
    record = begin(job, context, subject)
    try:
        yield _accepted(job, context, panels, sights)
        for sight in sights.values():
            seen = keep_input(job, context, subject, sight, record)
            yield PredictionEvent(model=seen.model, input=seen, predictions=seen.predictions)
        yield from keep_image(job, context, subject)
        yield None
        for event in make_all(job, context, subject, panels, sights):
            if isinstance(event, PanelEvent | MetricEvent):
                record.panels = [panel.record for panel in panels if panel.record is not None]
                record.seconds = round(time.monotonic() - began, 3)
                record.status = "done" if all(map(is_settled, panels)) else "running"
                keep_others_metrics(context, record)
                context.store.update(job.id, record.to_dict())
            yield event
    except (GeneratorExit, Exception) as error:
        if record.status != "done":  # a client may leave with the last panel in its hands
            with suppress(Problem):  # it may be cancelled because it was deleted, or the disk be full
                context.store.update(job.id, record.ended(end_of(error)).to_dict())
        raise
    yield DoneEvent(record=record)


def measure(job: Measure, context: Context) -> Run:
    """Measure a panel of an explanation that is kept, and write what comes of it into the explanation's record."""
    question = job.question
    (panel,) = panels = plan(question, context.zoo, context.settings)
    panel.id = job.panel
    subject = yield from InputImage.open(question.picture, context, question.owner)
    sights = yield from look_all(question, context, subject, panels)
    accepted = _accepted(question, context, panels, sights)
    accepted.panel = panel.id
    yield accepted
    for event in make_all(question, context, subject, panels, sights):
        if isinstance(event, PanelEvent):
            if event.panel.problem is not None:
                raise problem_from_body(event.panel.problem)
            continue  # it was told before
        if isinstance(event, MetricEvent) and panel.record is not None:
            note(context, job.id, panel.record)
        yield event
    yield DoneEvent(record=_kept(context, job.id))


def note(context: Context, explanation: str, measured: PanelBody) -> None:
    """Write what is known of a panel now into the explanation's record. Raises `NotFound` where that is gone."""
    record = _kept(context, explanation)
    for number, panel in enumerate(record.panels):
        if panel.id == measured.id:
            known = {"from_store": panel.from_store, "metrics": panel.metrics | measured.metrics}
            record.panels[number] = measured.model_copy(update=known)
    context.store.update(explanation, record.to_dict())


def keep_others_metrics(context: Context, record: Explanation) -> None:
    """Take over into a record that is still written what was measured of its panels by requests of their own."""
    stored = load_record(context.store, record.id)
    if stored is not None:
        measured = {panel.id: panel.metrics for panel in stored.panels}
        for panel in record.panels:
            panel.metrics = measured.get(panel.id, {}) | panel.metrics


def _kept(context: Context, explanation: str) -> Explanation:
    """The record as it is in the store. Raises `NotFound`."""
    record = load_record(context.store, explanation)
    if record is None:
        raise forgotten()
    return record


def is_settled(panel: PlannedPanel) -> bool:
    """Whether nothing more will come of a panel."""
    record = panel.record
    if record is None:
        return False
    return record.status != "done" or all(metric.id in record.metrics for metric, _ in panel.metrics)


def look_all(
    job: Explain, context: Context, subject: InputImage, panels: list[PlannedPanel]
) -> Waiting[dict[str, ModelInput]]:
    """Show the picture to each model, and settle what can be made of it: which panels, and their targets.

    A model that cannot be had takes only its own panels with it. Raises the refusal where no panel is left.
    """
    sights: dict[str, ModelInput] = {}
    for model in dict.fromkeys(panel.model for panel in panels):
        mine = [panel for panel in panels if panel.model == model]
        try:
            with (yield from reserve_models(context.zoo, [model])):
                sight = yield from look(context, subject, model, job)
                examine(mine, job, sight.load(context.zoo))
        except Exception as error:
            refusal = as_problem(error)
            for panel in mine:
                panel.refusal = refusal
        else:
            sights[model] = sight
        yield None
    settle_targets(panels, {model: sight.classes[0].index for model, sight in sights.items()})
    return sights


def make_all(
    job: Explain, context: Context, subject: InputImage, panels: list[PlannedPanel], sights: dict[str, ModelInput]
) -> Run:
    """All panels: those of models that fit into memory together side by side, the others after them."""
    for panel in panels:
        if panel.model not in sights:
            refusal = panel.refusal or ComputationFailed("The model could not be had.")
            panel.record = unmade_panel(panel, context.zoo, refusal)
            yield PanelEvent(panel=panel.record, map=None)
    for group in context.zoo.groups(sights):
        mine = [panel for panel in panels if panel.model in group]
        ordered = sorted(mine, key=lambda p: p.map_cost(sights[p.model].input.size).total)
        with (yield from reserve_models(context.zoo, group)):
            ways = shared_passes(mine, {model: sights[model] for model in group}, context.zoo)
            yield from round_robin(
                make_panel(panel, job, context, subject, sights[panel.model], ways.get(panel.id)) for panel in ordered
            )


def begin(job: Explain, context: Context, subject: InputImage) -> Explanation:
    """Open the record in the store, with the picture as it was sent, to be used again."""
    record = new_record(job, context, subject.size)
    store, source = context.store, subject.hash
    store.create(job.id, record.to_dict(), job.owner)
    if store.attach(job.id, "source", store.key("source", source)) is None:
        store.put(job.id, "source", store.key("source", source), job.picture, {})
    return record


def keep_image(job: Explain, context: Context, subject: InputImage) -> Waiting[None]:
    """Put the picture as it is served into the store: of a large one that takes longer than to see what it shows."""
    store = context.store
    key = store.key("image", subject.hash)
    if store.attach(job.id, "image", key) is None:
        yield from subject.decoded()
        store.put(job.id, "image", key, shown(subject.image), {})


def keep_input(
    job: Explain, context: Context, subject: InputImage, sight: ModelInput, record: Explanation
) -> InputBody:
    """Put what a model saw, and what it predicts, into the record and the store."""
    store, name = context.store, f"input:{sight.model}"
    key = store.key("input", subject.hash, sight.input.model_dump())
    if store.attach(job.id, name, key) is None:
        store.put(job.id, name, key, png(sight.seen.picture), {})
    seen = input_record(job, sight)
    record.inputs.append(seen)
    store.update(job.id, record.to_dict())
    return seen


def _accepted(
    job: Explain, context: Context, panels: list[PlannedPanel], sights: dict[str, ModelInput]
) -> AcceptedEvent:
    evaluations = measuring = 0
    listed = []
    for panel in panels:
        input = sights[panel.model].input if panel.model in sights else context.zoo.recipe(panel.model).input
        cost = panel.map_cost(input.size).total
        planned = PlannedPanelBody(
            id=panel.id, model=panel.model, method=panel.method.id, target=panel.target, cost=cost
        )
        evaluations += 0 if panel.refusal else cost
        if panel.metrics and not panel.refusal:
            costs = panel.cost(sights[panel.model].load(context.zoo).classifier)
            planned.metrics = [
                PlannedMetric(metric=id, forwards=cost.forwards, gradients=cost.gradients)
                for id, cost in costs.metrics.items()
            ]
            measuring += costs.measuring
        listed.append(planned)
    accepted = AcceptedEvent(id=job.id, panels=listed, gradient_evaluations=evaluations)
    if job.metrics:
        accepted.metric_evaluations = measuring
    return accepted
