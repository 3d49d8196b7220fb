"""Makes one panel: it comes from the store if it is there, otherwise it is computed in turns."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from typing import cast

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from ..attribution.classifier import Classifier
from ..attribution.engine import Engine
from ..attribution.methods.base import Diagnostics, OnePass, Progress
from ..attribution.metrics.base import ExplainedMap
from ..attribution.shared_forward import SharedForward
from ..attribution.shared_gradients import GradientSharer, SharedGradients, count_shared
from ..contract.arrays import EncodedMap, encode_map
from ..contract.events import Event, PanelEvent, PartialEvent, ProgressEvent
from ..contract.jobs import Explain
from ..contract.packed_map import pack_map, unpack_map
from ..contract.records import MapFacts
from ..images.input_spec import Input
from ..settings import Settings
from ..storage.stores import AnyStore
from ..zoo.loader import LoadedModel
from ..zoo.zoo import Zoo
from .context import Context
from .cost import map_key, record_map_time
from .measure import measure_all
from .model_input import InputImage, ModelInput
from .plan import PlannedPanel
from .problems import as_problem
from .records import made_panel, map_and_facts, unmade_panel
from .turns import PROGRESS_SECONDS, Run, TimedGenerator
from .uploaded import UploadedMap, uploaded_key

log = logging.getLogger(__name__)
PARTIAL_SECONDS = 0.25  # between two partial maps of a panel
Sharing = SharedForward | GradientSharer  # what a panel uses together with others
REFERENCE_PIXELS = 320 * 320  # for larger inputs, the micro-batch is smaller than the setting


def make_panel(
    panel: PlannedPanel,
    job: Explain,
    context: Context,
    picture: InputImage,
    model_input: ModelInput,
    shared: Sharing | None = None,
) -> Run:
    """Make one panel from the store or by computing it, then its metrics. The results go into its record.

    `shared` is what it uses together with other panels: a forward pass, or gradients along a path.
    """
    summed: EncodedMap | None = None
    explained: tuple[str, ExplainedMap] | None = None
    try:
        if panel.refusal:
            raise panel.refusal
        assert panel.target is not None  # `set_targets` has set it
        loaded = model_input.load(context.zoo)
        score = loaded.score(panel.target, job.score, panel.against)
        own_engine = loaded.engine(score, micro_batch(context.settings, loaded.size))
        key = panel_key(panel, job, context, picture, loaded.classifier, model_input.input)
        stored = _stored(context.store, job.id, panel.id, key)
        if stored is None:
            engine = shared.engine(score) if shared else own_engine
            values, facts = yield from compute(panel, engine, model_input.x, job.seed)
            size = model_input.input.size
            cost, key_of_time = panel.map_cost(size), map_key(panel.method)
            used = loaded.backend.name
            if not engine.shared:  # else its seconds are those of fewer gradients
                record_map_time(context.throughput, panel.model, cost, facts.seconds, size, key_of_time, used)
            context.store.put(job.id, f"panel:{panel.id}", key, pack_map(values), facts.to_dict())
        else:
            values, facts = stored
        map_values = torch.from_numpy(values).to(model_input.x.device)
        made_by = (panel.method, panel.parameters, job.seed, cast(Diagnostics, facts.diagnostics))
        explained = key, ExplainedMap(own_engine, own_engine.to_device(model_input.x), map_values, *made_by)
        panel.record = made_panel(job, panel, context.zoo, facts, from_store=stored is not None)
        summed = encode_map(values.sum(0))
    except Exception as error:
        panel.record, explained = unmade_panel(panel, context.zoo, as_problem(error)), None
    finally:
        if shared:
            shared.release()
    yield PanelEvent(panel=panel.record, map=summed)
    if explained:
        yield from measure_all(panel, *explained, job, context)


def shared_gradients(panels: list[PlannedPanel], loaded: LoadedModel, settings: Settings) -> dict[str, GradientSharer]:
    """What panels of one model share along paths, by panel id, for those that have points in common with others."""
    sharers: dict[str, GradientSharer] = {}
    for group in _walking_together(panels):
        if count_shared(panel.walks for panel in group):
            shared = SharedGradients({panel.id: panel.walks for panel in group})
            batch = micro_batch(settings, loaded.size)
            for panel in group:
                sharers[panel.id] = GradientSharer(shared, panel.id, loaded.classifier, loaded.backend, batch)
    return sharers


def shared_evaluations(panels: list[PlannedPanel]) -> int:
    """How many gradients the panels take less together than each alone."""
    return sum(count_shared(panel.walks for panel in group) for group in _walking_together(panels))


def _walking_together(panels: list[PlannedPanel]) -> list[list[PlannedPanel]]:
    """Panels that walk along paths, those of one model and score together."""
    groups: dict[tuple[str, int | None, int | None], list[PlannedPanel]] = {}
    for panel in panels:
        if not panel.refusal and panel.walks:
            groups.setdefault((panel.model, panel.target, panel.against), []).append(panel)
    return list(groups.values())


def shared_passes(
    panels: list[PlannedPanel], model_inputs: dict[str, ModelInput], zoo: Zoo
) -> dict[str, SharedForward]:
    """Shared forward passes by panel id, for models with at least two panels whose methods need one pass only."""
    passes: dict[str, SharedForward] = {}
    for model, model_input in model_inputs.items():
        sharing = [(panel, panel.method) for panel in panels if panel.model == model and not panel.refusal]
        one_pass = [(panel, method) for panel, method in sharing if isinstance(method, OnePass)]
        if len(one_pass) > 1:
            loaded = model_input.load(zoo)
            layers = [name for panel, method in one_pass for name in method.layers(loaded.classifier, panel.parameters)]
            shared = SharedForward(loaded.classifier, model_input.x, layers, len(one_pass), loaded.backend)
            passes |= dict.fromkeys((panel.id for panel, _ in one_pass), shared)
    return passes


def compute(
    panel: PlannedPanel, engine: Engine, x: Tensor, seed: int
) -> Generator[Event | None, None, tuple[np.ndarray, MapFacts]]:
    """Run a method in turns, with progress events and partial maps. Only its own turns count as seconds."""
    last_partial = last_progress = -1.0
    with TimedGenerator(panel.method.attribute(engine, x, panel.parameters, seed)) as steps:
        for step in steps:
            now = time.monotonic()
            if now - last_progress >= PROGRESS_SECONDS or step.done == step.total:
                last_progress = now
                yield ProgressEvent(panel=panel.id, done=step.done, total=step.total)
            if step.done < step.total and step.estimate is not None and now - last_partial >= PARTIAL_SECONDS:
                last_partial = now
                yield _partial(panel.id, step)
            if step.done < step.total:  # a method with one step is done now and needs no other turn
                yield None
                while engine.is_ahead:
                    yield None
    return map_and_facts(steps.result, steps.seconds, engine)


def micro_batch(settings: Settings, size: tuple[int, int]) -> int:
    """Pictures of `size` per pass: fewer for large inputs, so that a pass takes about the same memory; 0 is
    automatic."""
    if not settings.micro_batch:
        return 0
    return max(1, min(settings.micro_batch, round(settings.micro_batch * REFERENCE_PIXELS / (size[0] * size[1]))))


def panel_key(
    panel: PlannedPanel, job: Explain, context: Context, picture: InputImage, classifier: Classifier, input: Input
) -> str:
    """The store's key of a panel: everything that determines its values. The seed counts only for stochastic
    methods. An uploaded map has one of its own."""
    if isinstance(panel.method, UploadedMap):
        return uploaded_key(context.store, job.id, panel.id)
    return context.store.key(
        "panel",
        picture.hash,
        input.model_dump(),
        (classifier.id, classifier.fingerprint),
        (panel.method.id, panel.parameters.model_dump()),
        (panel.target, panel.against, job.score),
        job.seed if panel.method.stochastic(panel.parameters) else None,
        context.versions,
    )


def _stored(store: AnyStore, record: str, panel: str, key: str) -> tuple[np.ndarray, MapFacts] | None:
    """The map that the store has under `key`, which the record uses from now on; None if it is missing or damaged."""
    facts = store.attach(record, f"panel:{panel}", key)
    data = None if facts is None else store.read(record, f"panel:{panel}")
    try:
        return None if data is None else (unpack_map(data), MapFacts.model_validate(facts))
    except (ValueError, ValidationError):
        log.warning("a stored panel is damaged and is computed again")
        return None


def _partial(panel: str, step: Progress) -> Event:
    assert step.estimate is not None
    summed = step.estimate.detach().float().sum(0)
    height, width = (min(side, 112) for side in summed.shape)
    small = torch.nn.functional.adaptive_avg_pool2d(summed[None, None], (height, width))[0, 0]
    return PartialEvent(panel=panel, done=step.done, total=step.total, map=encode_map(small.cpu().numpy()))
