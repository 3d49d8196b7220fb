"""Explains many pictures by one request. Methods that need one pass (`OnePass`) run it for several pictures together.

Threads read, decode and preprocess in advance. The results of a picture are the same as alone, except for the rounding
of another micro-batch.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..attribution.methods.base import Attribution, OnePass
from ..attribution.score import Score
from ..attribution.shared_forward import ForwardPass, SharedEngine
from ..attribution.shared_gradients import GradientSharer
from ..attribution.torch_state import clean_state, in_clean_state
from ..contract.arrays import npy
from ..contract.jobs import Explain
from ..contract.problems import ComputationFailed, Problem
from ..contract.records import FolderRecord, MapFacts
from ..images.image_files import ImageFile
from ..images.preprocess import PreprocessedImage, preprocess, requested_input
from ..zoo.loader import LoadedModel
from .classes import known_indices
from .context import Context
from .model_input import ModelInput, TurnByTurn, png, scaled_png, top_classes
from .notes import network_notes
from .panel import compute, micro_batch, shared_gradients
from .plan import PlannedPanel, check_panels, plan, raise_if_none_left, set_targets
from .problems import as_problem
from .records import input_record, made_panel, map_and_facts, new_record, unmade_panel
from .resume import picture_mark
from .turns import round_robin

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
READERS = max(2, min(8, (os.cpu_count() or 2) // 2))
CHUNK_PASSES = 8  # micro-batches in a chunk if the models must take turns in memory
WINDOW = 16  # at most so many pictures are read in advance, or wait to be written
TOP_CLASSES = 5  # predictions for each picture


@dataclass(eq=False)
class ExplainedPicture:
    """A picture being explained: its model inputs, panels and maps."""

    entry: ImageFile
    job: Explain
    picture: bytes  # the stored PNG, without metadata
    size: tuple[int, int]
    preprocessed: dict[str, PreprocessedImage]
    record: FolderRecord
    model_inputs: dict[str, ModelInput] = field(default_factory=dict)
    panels: list[PlannedPanel] = field(default_factory=list)
    maps: dict[str, np.ndarray] = field(default_factory=dict)

    def read(self, name: str) -> bytes | None:
        """A part of the explanation, by its name in the store."""
        kind, _, id = name.partition(":")
        if kind == "image":
            return self.picture
        if kind == "input":
            return png(self.preprocessed[id].picture)
        return npy(self.maps[id]) if id in self.maps else None

    def panels_of(self, model: str) -> list[PlannedPanel]:
        """The panels of a model."""
        return [panel for panel in self.panels if panel.model == model]


@dataclass(frozen=True)
class SharedPass:
    """The forward pass of several pictures together."""

    pictures: list[ExplainedPicture]
    forward: ForwardPass


@dataclass(frozen=True)
class SkippedPicture:
    """A picture that has results already."""

    entry: ImageFile


@dataclass(frozen=True)
class FailedPicture:
    """A picture that could not be explained, with the reason."""

    entry: ImageFile
    problem: Problem


Turns = Generator[ExplainedPicture | SkippedPicture | FailedPicture | None, None, None]


class Batch:
    """One request for many pictures. `request` is a job without a picture.

    `is_kept` returns for a picture and its request mark whether it has results already.
    Raises `Problem` if the request itself is wrong.
    """

    def __init__(self, request: Explain, context: Context, is_kept: Callable[[ImageFile, str], bool]) -> None:
        self.request, self.context, self._is_kept = request, context, is_kept
        zoo = context.zoo
        panels = plan(request, zoo, context.settings)
        self.models = tuple(dict.fromkeys(panel.model for panel in panels))
        self._inputs = {id: requested_input(zoo.spec(id).input, request.fit, request.size) for id in self.models}
        # panels of a class that their model does not have are refused, and have no `against`
        self._against = {panel.model: panel.against for panel in panels if not panel.unknown_class}
        self._fingerprints = {}
        for id in self.models:
            loaded = self._load(id)
            self._fingerprints[id] = loaded.classifier.fingerprint
            check_panels([panel for panel in panels if panel.model == id], request, loaded)
        raise_if_none_left(panels)
        self._layers = {id: self._layers_of([panel for panel in panels if panel.model == id]) for id in self.models}
        self.chunk_size = max(map(self._pass_size, self.models))
        if len(zoo.groups(self.models)) > 1:  # the models must take turns in memory
            self.chunk_size *= CHUNK_PASSES
        self.window = min(2 * self.chunk_size, WINDOW)

    def explain(self, entries: Iterable[ImageFile]) -> Iterator[ExplainedPicture | SkippedPicture | FailedPicture]:
        """Yields the result of each picture. Skipped and failed pictures may come before earlier explained ones."""
        with closing(self.turns(entries)) as turns:
            yield from (result for result in turns if result is not None)

    def turns(self, entries: Iterable[ImageFile]) -> Turns:
        """Like `explain`, with `None` after every micro-batch, where another run may take its turn."""
        return in_clean_state(self._turns(entries))

    def _turns(self, entries: Iterable[ImageFile]) -> Turns:
        with ThreadPoolExecutor(READERS, thread_name_prefix="reader") as readers:
            chunk: list[ExplainedPicture] = []
            for found in ahead(readers, self._prepare, entries, self.window):
                if isinstance(found, ExplainedPicture):
                    chunk.append(found)
                else:
                    yield found
                if len(chunk) == self.chunk_size:
                    yield from self._explain_chunk(chunk)
                    chunk = []
            if chunk:
                yield from self._explain_chunk(chunk)

    @property
    def about(self) -> tuple[Any, ...]:
        """Everything except the picture that determines the results."""
        asked_for = {name: value for name, value in asdict(self.request).items() if name not in ("id", "picture")}
        if not self.request.quality:  # the mark of a request without one is what it was before there were qualities
            del asked_for["quality"]
        return asked_for, self._fingerprints, self.context.versions

    def _load(self, model: str) -> LoadedModel:
        return self.context.zoo.load(model, self._inputs[model].size)

    def _pass_size(self, model: str) -> int:
        """Number of pictures in a pass of a model."""
        loaded = self._load(model)
        return loaded.engine(Score(0), micro_batch(self.context.settings, loaded.size)).micro_batch

    def _layers_of(self, panels: list[PlannedPanel]) -> tuple[str, ...] | None:
        """The layers that a model's methods of one pass need; None if there is no such method."""
        found: tuple[str, ...] | None = None
        for panel in panels:
            if isinstance(panel.method, OnePass) and not panel.refusal:
                found = (*(found or ()), *panel.method.layers(self._load(panel.model).classifier, panel.parameters))
        return found

    def _prepare(self, entry: ImageFile) -> ExplainedPicture | SkippedPicture | FailedPicture:
        """Read, decode and preprocess a picture. Runs in a reader's thread."""
        try:
            data = entry.read()
            mark = picture_mark(data, self.about)
            if self._is_kept(entry, mark):
                return SkippedPicture(entry)
            decoded = self.context.decoders.decode(data)
            preprocessed = {model: preprocess(decoded, input_spec) for model, input_spec in self._inputs.items()}
            job = replace(self.request, id=secrets.token_hex(16))
            unfinished = new_record(job, self.context, decoded.size)
            record = FolderRecord(**dict(unfinished), source=str(entry.path), mark=mark)
            return ExplainedPicture(entry, job, scaled_png(decoded), decoded.size, preprocessed, record)
        except OSError as error:
            return FailedPicture(entry, Problem(error.strerror or str(error)))
        except Exception as error:
            return FailedPicture(entry, as_problem(error))

    def _explain_chunk(self, chunk: list[ExplainedPicture]) -> Turns:
        """Explain the pictures of a chunk together."""
        began = time.monotonic()
        for picture in chunk:
            picture.panels = plan(picture.job, self.context.zoo, self.context.settings)
        passes = {}
        for model in self.models:
            passes[model] = self._predict(chunk, model)
            yield None
        usable: list[ExplainedPicture] = []
        for picture in chunk:
            try:
                top = {id: model_input.top_class for id, model_input in picture.model_inputs.items()}
                set_targets(picture.panels, top)
            except Problem as problem:
                yield FailedPicture(picture.entry, problem)
            else:
                usable.append(picture)
        *others, last = self.models
        for model in others:
            yield from self._compute_shared(usable, model, passes.pop(model))
            for picture in usable:
                yield from self._compute_missing(picture, model)
        yield from self._compute_shared(usable, last, passes.pop(last))
        shared_seconds = (time.monotonic() - began) / len(chunk)
        for picture in usable:  # picture by picture, so that an interruption loses little
            began = time.monotonic()
            yield from self._compute_missing(picture, last)
            picture.record.seconds = round(shared_seconds + time.monotonic() - began, 3)
            yield self._close(picture)

    def _predict(self, chunk: list[ExplainedPicture], model: str) -> SharedPass | None:
        """Predict the pictures of a chunk together; one by one if that fails. Returns the pass if it can be shared."""
        try:
            x, logits, shared = self._forward(chunk, model)
        except Exception as error:
            if len(chunk) > 1:
                for picture in chunk:
                    self._predict([picture], model)
            else:
                for panel in chunk[0].panels:
                    if panel.model == model:
                        panel.refusal = as_problem(error)
            return None
        input_spec, loaded = self._inputs[model], self._load(model)
        for picture, pixels, picture_logits in zip(chunk, x, logits, strict=True):
            targets = known_indices(picture.job.targets, loaded.classifier.labels)
            predictions = top_classes(loaded.classifier, picture_logits, TOP_CLASSES, targets)  # top and targets
            picture.model_inputs[model] = ModelInput(
                model, input_spec, picture.preprocessed[model], pixels, *predictions, network_notes(loaded.behaviour)
            )
            picture.record.inputs.append(input_record(picture.job, picture.model_inputs[model]))
            check_panels([panel for panel in picture.panels if panel.model == model], picture.job, loaded)
        return shared

    def _forward(self, chunk: list[ExplainedPicture], model: str) -> tuple[Tensor, Tensor, SharedPass | None]:
        """The model inputs and logits (float64 on the CPU), and the forward pass if all pictures share one."""
        classifier = self._load(model).classifier
        pixels = torch.from_numpy(np.stack([picture.preprocessed[model].pixels for picture in chunk]))
        x = pixels.to(device=classifier.device, dtype=classifier.dtype)
        size = self._pass_size(model)
        if self._layers[model] is not None and len(self.models) == 1 and len(chunk) <= size:
            shared = SharedPass(chunk, ForwardPass(classifier, x, self._layers[model] or ()))
            return x, shared.forward.logits.detach().double().cpu(), shared
        with clean_state(), torch.no_grad():
            logits = torch.cat([classifier(classifier.to_memory_format(part)) for part in torch.split(x, size)])
        return x, logits.double().cpu(), None

    def _compute_shared(self, chunk: list[ExplainedPicture], model: str, shared: SharedPass | None) -> TurnByTurn[None]:
        """Compute a model's panels of methods of one pass, micro-batch by micro-batch."""
        for picture in chunk:
            for panel in picture.panels_of(model):
                if panel.refusal:
                    panel.record = unmade_panel(panel, self.context.zoo, panel.refusal)
        layers, size = self._layers[model], self._pass_size(model)
        with_input = [picture for picture in chunk if model in picture.model_inputs]
        for start in range(0, len(with_input), size) if layers is not None else ():
            part = with_input[start : start + size]
            if shared is None or part != shared.pictures:
                try:
                    x = torch.stack([picture.model_inputs[model].x for picture in part])
                    shared = SharedPass(part, ForwardPass(self._load(model).classifier, x, layers or ()))
                except Exception:
                    log.warning("a pass of %d pictures failed: one by one", len(part), exc_info=True)
                    break
            self._compute_together(shared, model)
            shared = None
            yield None

    def _compute_missing(self, picture: ExplainedPicture, model: str) -> TurnByTurn[None]:
        """Compute the panels of a model that are still missing, in turns, so that gradients are shared."""
        panels = [panel for panel in picture.panels_of(model) if panel.record is None]
        if not panels:
            return
        loaded = self._load(model)
        sharers = shared_gradients(panels, loaded, self.context.settings)
        yield from drop_events(
            round_robin(self._compute_alone(picture, panel, loaded, sharers.get(panel.id)) for panel in panels)
        )

    def _compute_together(self, shared: SharedPass, model: str) -> None:
        """Compute panels from one shared pass. Panels that fail stay unfinished."""
        panels = {panel.id: panel for picture in shared.pictures for panel in picture.panels_of(model)}
        any_class = int(self._against[model] == 0)  # for pictures without this panel: 0, or 1 if 0 is `against`
        for id, one in panels.items():
            if not isinstance(one.method, OnePass):
                continue
            panels_to_make = [
                next((p for p in picture.panels_of(model) if p.id == id and not p.refusal), None)
                for picture in shared.pictures
            ]
            if not any(panels_to_make):
                continue
            began = time.monotonic()
            try:
                loaded = self._load(model)
                targets = tuple(panel.target if panel else any_class for panel in panels_to_make)
                score = self._score(loaded, model, targets)
                engine = SharedEngine(shared.forward, score, loaded.backend)
                values, diagnostics = one.method.maps(engine, shared.forward.pictures, one.parameters)
                seconds = (time.monotonic() - began) / len(panels_to_make)
                for picture, panel, map in zip(shared.pictures, panels_to_make, values, strict=True):
                    if panel:
                        attribution = Attribution(map, {"gradient_evaluations": 1, **diagnostics})
                        self._add_map(picture, panel, *map_and_facts(attribution, seconds, engine))
            except Exception:
                log.warning(
                    "%s of %d pictures at once failed: one by one", one.method.id, len(panels_to_make), exc_info=True
                )

    def _compute_alone(
        self, picture: ExplainedPicture, panel: PlannedPanel, loaded: LoadedModel, sharer: GradientSharer | None
    ) -> TurnByTurn[None]:
        score = self._score(loaded, panel.model, panel.target)
        engine = loaded.engine(score, micro_batch(self.context.settings, loaded.size))
        if sharer:
            engine = sharer.engine(score)
        try:
            computing = compute(panel, engine, picture.model_inputs[panel.model].x, picture.job.seed)
            self._add_map(picture, panel, *(yield from drop_events(computing)))
        except Exception as error:
            panel.record = unmade_panel(panel, self.context.zoo, as_problem(error))
        finally:
            if sharer:
                sharer.release()

    def _add_map(self, picture: ExplainedPicture, panel: PlannedPanel, values: np.ndarray, facts: MapFacts) -> None:
        """Add a finished map to the picture, and its record to the panel."""
        picture.maps[panel.id] = values
        panel.record = made_panel(picture.job, panel, self.context.zoo, facts, from_store=False)

    def _score(self, loaded: LoadedModel, model: str, target: Any) -> Score:
        return loaded.score(target, self.request.score, self._against[model])

    @staticmethod
    def _close(picture: ExplainedPicture) -> ExplainedPicture | FailedPicture:
        """The picture with its complete record; a failure if one of its maps has failed."""
        picture.record.status = "done"
        picture.record.panels = [panel.record for panel in picture.panels if panel.record is not None]
        for panel in picture.record.panels:
            if panel.status == "failed" and panel.problem is not None:
                return FailedPicture(picture.entry, ComputationFailed(f"{panel.method}: {panel.problem.detail}"))
        return picture


def drop_events(run: Generator[Any, None, R]) -> TurnByTurn[R]:
    """Run a generator and return its result. Only its `None` is passed on, events are dropped."""
    try:
        while True:
            if next(run) is None:
                yield None
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        run.close()


def ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], window: int) -> Iterator[R]:
    """Yields `work(item)` for each item, in order; at most `window` items are started in advance."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > window:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
