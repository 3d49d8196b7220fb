"""The stages of a job: decode → preprocess → predict → gradients → store.

Everything here runs in a worker. A run is a generator: it yields events for the client, and `None` after every
micro-batch, where another request may take its turn or this one may be closed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..attribution.shared_gradients import GradientSharer
from ..attribution.torch_state import in_clean_state
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
from ..contract.jobs import (
    AddMap,
    Estimate,
    Explain,
    Flow,
    Job,
    Labels,
    Locate,
    Measure,
    Predict,
    Refresh,
    RunExperiment,
)
from ..contract.predictions import LabelList, Prediction, Predictions
from ..contract.problems import ComputationFailed, Problem, problem_from_body
from ..contract.records import Explanation, InputBody, PanelBody
from ..contract.server import RefreshResult
from ..contract.uploaded_map import is_uploaded
from ..storage.records import load_record
from ..storage.store import deleted_problem
from ..storage.stores import AnyStore
from ..zoo.weights import Location
from ..zoo.zoo import Zoo
from .context import Context
from .estimate import estimate
from .experiment import experiment
from .flow import flow
from .model_input import InputImage, ModelInput, TurnByTurn, make_model_input, png, scaled
from .panel import Sharing, make_panel, shared_evaluations, shared_gradients, shared_passes
from .plan import PlannedPanel, check_panels, plan, set_targets
from .problems import as_problem, library_errors_as_problems
from .records import end_of, input_record, missing_panels, new_record, unmade_panel
from .stored_parts import webp
from .turns import Run, reserve_models, round_robin
from .uploaded import add_map, plan_uploaded


def run(job: Job, context: Context) -> Run:
    """Start a job. Its last event is `done`, or `result` for small jobs. Raises `Problem`."""
    with library_errors_as_problems():
        yield from in_clean_state(_run(job, context))


def _run(job: Job, context: Context) -> Run:
    if isinstance(job, Explain):
        return explain(job, context)
    if isinstance(job, Measure):
        return measure(job, context)
    if isinstance(job, AddMap):
        return add_map(job, context)
    if isinstance(job, Predict):
        return predict(job, context)
    if isinstance(job, Flow):
        return flow(job, context)
    if isinstance(job, RunExperiment):
        return experiment(job)
    if isinstance(job, Estimate):
        return estimate(job, context)
    return answer_without_picture(job, context.zoo)


def answer_without_picture(job: Labels | Locate | Refresh, zoo: Zoo) -> Run:
    """The jobs that need no picture: a model's labels, the place of its weights, reading the cards again."""
    if isinstance(job, Labels):
        yield ResultEvent(result=LabelList(labels=list(zoo.labels(job.model))))
    elif isinstance(job, Locate):
        file = zoo.spec(job.model).weights
        location = Location(file=zoo.weights.with_pinned_revision(file), ready=zoo.weights.find(file) is not None)
        yield ResultEvent(result=location)
    else:
        zoo.refresh()
        yield ResultEvent(result=RefreshResult())


def predict(job: Predict, context: Context) -> Run:
    """Predict the top classes of a picture, model by model."""
    models = job.models or (context.settings.default_model,)
    for model in models:
        context.zoo.spec(model)
    picture = yield from InputImage.open(job.picture, context, job.owner)
    predictions = []
    for model in models:
        with (yield from reserve_models(context.zoo, [model])):
            model_input = yield from make_model_input(context, picture, model, job, job.top_k)
        predictions.append(Prediction(model=model, classes=model_input.classes))
        yield None
    yield ResultEvent(result=Predictions(predictions=predictions))


def explain(job: Explain, context: Context) -> Run:
    """Explain one picture: events as in the REST contract. If the request is refused, raises `Problem` before the first
    event."""
    began = time.monotonic()
    panels = plan(job, context.zoo, context.settings)
    picture = yield from InputImage.open(job.picture, context, job.owner)
    model_inputs = yield from make_model_inputs(job, context, picture, panels)
    record = create_record(job, context, picture, panels)
    try:
        yield _accepted(job, context, panels, model_inputs)
        for model_input in model_inputs.values():
            input_body = store_input(job, context, picture, model_input, record)
            yield PredictionEvent(model=input_body.model, input=input_body, predictions=input_body.predictions)
        yield from store_image(job, context, picture)
        yield None
        for event in make_panels(job, context, picture, panels, model_inputs):
            if isinstance(event, PanelEvent | MetricEvent):
                record.panels = [panel.record for panel in panels if panel.record is not None]
                record.missing = missing_panels(panels, context.zoo)
                record.seconds = round(time.monotonic() - began, 3)
                record.status = "done" if all(map(is_complete, panels)) else "running"
                merge_stored_metrics(context, record)
                context.store.update(job.id, record.to_dict())
            yield event
    except (GeneratorExit, Exception) as error:
        if record.status != "done":  # a client may leave after the last panel
            with suppress(Problem):  # the explanation may be deleted, or the disk full
                context.store.update(job.id, record.ended(end_of(error)).to_dict())
        raise
    yield DoneEvent(record=record)


def measure(job: Measure, context: Context) -> Run:
    """Measure metrics of a stored panel, and add the results to the explanation's record."""
    with pinned(context.store, job.id):
        yield from _measure(job, context)


def _measure(job: Measure, context: Context) -> Run:
    """See `measure`."""
    request = job.request
    foreign = any(map(is_uploaded, request.methods))
    panels = [plan_uploaded(job, context)] if foreign else plan(request, context.zoo, context.settings)
    (panel,) = panels
    panel.id = job.panel
    picture = yield from InputImage.open(request.picture, context, request.owner)
    model_inputs = yield from make_model_inputs(request, context, picture, panels)
    accepted = _accepted(request, context, panels, model_inputs)
    accepted.panel = panel.id
    yield accepted
    for event in make_panels(request, context, picture, panels, model_inputs):
        if isinstance(event, PanelEvent):
            if event.panel.problem is not None:
                raise problem_from_body(event.panel.problem)
            continue  # the client has this panel already
        if isinstance(event, MetricEvent) and panel.record is not None:
            update_panel(context, job.id, panel.record)
        yield event
    yield DoneEvent(record=_stored_record(context, job.id))


@contextmanager
def pinned(store: AnyStore, explanation: str) -> Iterator[None]:
    """A context in which a stored explanation is not deleted to make room. Raises `NotFound`."""
    name = store.pin(explanation)
    try:
        yield
    finally:
        with suppress(Problem):  # the disk may fail; the pin ends by itself
            store.unpin(explanation, name)


def update_panel(context: Context, explanation: str, new: PanelBody) -> None:
    """Update a panel in the explanation's stored record. Raises `NotFound` if the explanation is gone."""
    record = _stored_record(context, explanation)
    for number, panel in enumerate(record.panels):
        if panel.id == new.id:
            kept = {"from_store": panel.from_store, "metrics": panel.metrics | new.metrics}
            record.panels[number] = new.model_copy(update=kept)
    context.store.update(explanation, record.to_dict())


def merge_stored_metrics(context: Context, record: Explanation) -> None:
    """Copy metrics that other requests have measured meanwhile from the stored record into `record`."""
    stored = load_record(context.store, record.id)
    if stored is not None:
        measured = {panel.id: panel.metrics for panel in stored.panels}
        for panel in record.panels:
            panel.metrics = measured.get(panel.id, {}) | panel.metrics


def _stored_record(context: Context, explanation: str) -> Explanation:
    """The record as it is in the store. Raises `NotFound`."""
    record = load_record(context.store, explanation)
    if record is None:
        raise deleted_problem()
    return record


def is_complete(panel: PlannedPanel) -> bool:
    """Whether a panel and all of its metrics are finished."""
    record = panel.record
    if record is None:
        return False
    return record.status != "done" or all(metric.id in record.metrics for metric, _ in panel.metrics)


def make_model_inputs(
    job: Explain, context: Context, picture: InputImage, panels: list[PlannedPanel]
) -> TurnByTurn[dict[str, ModelInput]]:
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
    set_targets(panels, {model: model_input.top_class for model, model_input in model_inputs.items()})
    return model_inputs


def make_panels(
    job: Explain, context: Context, picture: InputImage, panels: list[PlannedPanel], model_inputs: dict[str, ModelInput]
) -> Run:
    """Compute all panels. Panels of models that fit into memory together take turns; other models follow."""
    for panel in panels:
        if panel.model not in model_inputs:
            refusal = panel.refusal or ComputationFailed("The model was not available.")
            panel.record = unmade_panel(panel, context.zoo, refusal)
            yield PanelEvent(panel=panel.record, map=None)
    for group in context.zoo.groups(model_inputs):
        own_panels = [panel for panel in panels if panel.model in group]
        ordered = sorted(own_panels, key=lambda p: p.map_cost(model_inputs[p.model].input.size).total)
        with (yield from reserve_models(context.zoo, group)):
            shared: dict[str, Sharing] = {
                **shared_passes(own_panels, {model: model_inputs[model] for model in group}, context.zoo),
                **gradients_of(own_panels, model_inputs, context),
            }
            yield from round_robin(
                make_panel(panel, job, context, picture, model_inputs[panel.model], shared.get(panel.id))
                for panel in ordered
            )


def gradients_of(
    panels: list[PlannedPanel], model_inputs: dict[str, ModelInput], context: Context
) -> dict[str, GradientSharer]:
    """What the panels of each model share along paths, by panel id."""
    sharers: dict[str, GradientSharer] = {}
    for model in dict.fromkeys(panel.model for panel in panels):
        own_panels = [panel for panel in panels if panel.model == model]
        if shared_evaluations(own_panels):
            sharers |= shared_gradients(own_panels, model_inputs[model].load(context.zoo), context.settings)
    return sharers


def create_record(job: Explain, context: Context, picture: InputImage, panels: list[PlannedPanel]) -> Explanation:
    """Create the record in the store, with the picture as it was sent, for later requests."""
    record = new_record(job, context, picture.size)
    record.missing = missing_panels(panels, context.zoo)
    store, source = context.store, picture.hash
    store.create(job.id, record.to_dict(), job.owner)
    if store.attach(job.id, "source", store.key("source", source)) is None:
        store.put(job.id, "source", store.key("source", source), job.picture, {})
    return record


def store_image(job: Explain, context: Context, picture: InputImage) -> TurnByTurn[None]:
    """Store the scaled picture. For a large picture that takes longer than the prediction, so it is done after it."""
    store = context.store
    key = store.key("image", picture.hash)
    if store.attach(job.id, "image", key) is None:
        yield from picture.decode_in_turns()
        store.put(job.id, "image", key, webp(scaled(picture.image)), {})


def store_input(
    job: Explain, context: Context, picture: InputImage, model_input: ModelInput, record: Explanation
) -> InputBody:
    """Put a model's input and predictions into the record and the store."""
    store, name = context.store, f"input:{model_input.model}"
    key = store.key("input", picture.hash, model_input.input.model_dump())
    if store.attach(job.id, name, key) is None:
        store.put(job.id, name, key, png(model_input.preprocessed.picture), {})
    input_body = input_record(job, model_input)
    record.inputs.append(input_body)
    store.update(job.id, record.to_dict())
    return input_body


def _accepted(
    job: Explain, context: Context, panels: list[PlannedPanel], model_inputs: dict[str, ModelInput]
) -> AcceptedEvent:
    evaluations = metric_evaluations = 0
    planned_panels = []
    for panel in panels:
        known = model_inputs.get(panel.model)
        input = known.input if known else context.zoo.spec(panel.model).input
        cost = panel.map_cost(input.size).total
        planned = PlannedPanelBody(
            id=panel.id, model=panel.model, method=panel.method.id, target=panel.target, cost=cost
        )
        evaluations += 0 if panel.refusal else cost
        if panel.metrics and not panel.refusal:
            costs = panel.cost(model_inputs[panel.model].load(context.zoo).classifier)
            planned.metrics = [
                PlannedMetric(metric=id, forwards=cost.forwards, gradients=cost.gradients)
                for id, cost in costs.metrics.items()
            ]
            metric_evaluations += costs.measuring
        planned_panels.append(planned)
    accepted = AcceptedEvent(
        id=job.id,
        panels=planned_panels,
        gradient_evaluations=evaluations,
        shared_evaluations=shared_evaluations(panels),
    )
    if job.metrics:
        accepted.metric_evaluations = metric_evaluations
    return accepted
