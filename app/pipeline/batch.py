"""Many pictures with one question: methods of one pass share it among several pictures, the others have it full anyway.

Reading, decoding and preprocessing go on ahead in threads. What comes of a picture is what comes of it alone, but for
the rounding of another micro-batch.
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
from ..contract.arrays import npy
from ..contract.jobs import Explain
from ..contract.problems import ComputationFailed, Problem
from ..contract.records import FolderRecord, MapFacts
from ..images.image_files import ImageFile
from ..images.preprocess import PreprocessedImage, asked, preprocess
from ..zoo.loader import LoadedModel
from .context import Context
from .model_input import ModelInput, Waiting, believed_classes, png, shown
from .panel import compute, micro_batch
from .plan import PlannedPanel, examine, plan, refuse_if_nothing_is_left, settle_targets
from .problems import as_problem
from .records import finished, input_record, made_panel, new_record, unmade_panel
from .resume import picture_mark

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
READERS = max(2, min(8, (os.cpu_count() or 2) // 2))
TRAYS = 8  # micro-batches that are begun with one model before it makes room for the next
WINDOW = 16  # pictures at most that are read ahead, and that wait to be written
TOP = 5  # classes that are told of each picture


@dataclass(eq=False)
class ExplainedPicture:
    """A picture on its way: what models saw and believe of it, its panels, and their maps."""

    entry: ImageFile
    job: Explain
    picture: bytes  # as it is kept: a PNG without metadata
    size: tuple[int, int]
    seen: dict[str, PreprocessedImage]
    record: FolderRecord
    sights: dict[str, ModelInput] = field(default_factory=dict)
    panels: list[PlannedPanel] = field(default_factory=list)
    maps: dict[str, np.ndarray] = field(default_factory=dict)

    def read(self, name: str) -> bytes | None:
        """A part of the explanation by its name in the store."""
        kind, _, id = name.partition(":")
        if kind == "image":
            return self.picture
        if kind == "input":
            return png(self.seen[id].picture)
        return npy(self.maps[id]) if id in self.maps else None

    def of(self, model: str) -> list[PlannedPanel]:
        """A model's panels."""
        return [panel for panel in self.panels if panel.model == model]


@dataclass(frozen=True)
class SharedPass:
    """Pictures that went up through a network together."""

    shots: list[ExplainedPicture]
    graph: ForwardPass


@dataclass(frozen=True)
class SkippedPicture:
    """A picture whose results are there already."""

    entry: ImageFile


@dataclass(frozen=True)
class FailedPicture:
    """A picture that could not be explained, and why."""

    entry: ImageFile
    problem: Problem


Turns = Generator[ExplainedPicture | SkippedPicture | FailedPicture | None, None, None]


class Batch:
    """One question about many pictures. `question` is a job without a picture of its own.

    `is_kept` tells of an entry, and of the mark of its question, whether its results are there already.
    Raises `Problem` where the question itself is wrong.
    """

    def __init__(self, question: Explain, context: Context, is_kept: Callable[[ImageFile, str], bool]) -> None:
        self.question, self.context, self._is_kept = question, context, is_kept
        zoo = context.zoo
        panels = plan(question, zoo, context.settings)
        self.models = tuple(dict.fromkeys(panel.model for panel in panels))
        self._inputs = {id: asked(zoo.recipe(id).input, question.fit, question.size) for id in self.models}
        self._prints = {}
        for id in self.models:
            loaded = self._load(id)
            self._prints[id] = loaded.classifier.fingerprint
            examine([panel for panel in panels if panel.model == id], question, loaded)
        refuse_if_nothing_is_left(panels)
        self._layers = {id: self._layers_of([panel for panel in panels if panel.model == id]) for id in self.models}
        self.tray = max(map(self._at_once, self.models))
        if len(zoo.groups(self.models)) > 1:  # models that take turns in memory stay for some pictures
            self.tray *= TRAYS
        self.window = min(2 * self.tray, WINDOW)

    def explain(self, entries: Iterable[ImageFile]) -> Iterator[ExplainedPicture | SkippedPicture | FailedPicture]:
        """What comes of each picture; shots are whole, with their record. Those with nothing to compute come first."""
        with closing(self.turns(entries)) as turns:
            yield from (result for result in turns if result is not None)

    def turns(self, entries: Iterable[ImageFile]) -> Turns:
        """The same, with `None` after every micro-batch, where something else may take its turn."""
        with ThreadPoolExecutor(READERS, thread_name_prefix="reader") as readers:
            tray: list[ExplainedPicture] = []
            for found in ahead(readers, self._prepare, entries, self.window):
                if isinstance(found, ExplainedPicture):
                    tray.append(found)
                else:
                    yield found
                if len(tray) == self.tray:
                    yield from self._explain_tray(tray)
                    tray = []
            if tray:
                yield from self._explain_tray(tray)

    @property
    def about(self) -> tuple[Any, ...]:
        """All but the picture that determines what comes of it."""
        asked_for = {name: value for name, value in asdict(self.question).items() if name not in ("id", "picture")}
        return asked_for, self._prints, self.context.versions

    def _load(self, model: str) -> LoadedModel:
        return self.context.zoo.load(model, self._inputs[model].size)

    def _at_once(self, model: str) -> int:
        """Pictures in a pass of a model."""
        loaded = self._load(model)
        return loaded.engine(Score(0), micro_batch(self.context.settings, loaded.size)).micro_batch

    def _layers_of(self, panels: list[PlannedPanel]) -> tuple[str, ...] | None:
        """Layers that a model's methods of one pass ask for; None where there is no such method."""
        found: tuple[str, ...] | None = None
        for panel in panels:
            if isinstance(panel.method, OnePass) and not panel.refusal:
                found = (*(found or ()), *panel.method.layers(self._load(panel.model).classifier, panel.parameters))
        return found

    def _prepare(self, entry: ImageFile) -> ExplainedPicture | SkippedPicture | FailedPicture:
        """In a reader's thread: everything up to what the models see."""
        try:
            data = entry.read()
            mark = picture_mark(data, self.about)
            if self._is_kept(entry, mark):
                return SkippedPicture(entry)
            image = self.context.decoders.decode(data)
            seen = {model: preprocess(image, own) for model, own in self._inputs.items()}
            job = replace(self.question, id=secrets.token_hex(16))
            began = new_record(job, self.context, image.size)
            record = FolderRecord(**dict(began), source=str(entry.path), mark=mark)
            return ExplainedPicture(entry, job, shown(image), image.size, seen, record)
        except OSError as error:
            return FailedPicture(entry, Problem(error.strerror or str(error)))
        except Exception as error:
            return FailedPicture(entry, as_problem(error))

    def _explain_tray(self, tray: list[ExplainedPicture]) -> Turns:
        """The pictures of a tray, side by side."""
        began = time.monotonic()
        for shot in tray:
            shot.panels = plan(shot.job, self.context.zoo, self.context.settings)
        graphs = {}
        for model in self.models:
            graphs[model] = self._look(tray, model)
            yield None
        kept: list[ExplainedPicture] = []
        for shot in tray:
            try:
                settle_targets(shot.panels, {id: sight.classes[0].index for id, sight in shot.sights.items()})
            except Problem as problem:
                yield FailedPicture(shot.entry, problem)
            else:
                kept.append(shot)
        *others, last = self.models
        for model in others:
            yield from self._make_shared(kept, model, graphs.pop(model))
            for shot in kept:
                yield from self._make_rest(shot, model)
        yield from self._make_shared(kept, last, graphs.pop(last))
        shared = (time.monotonic() - began) / len(tray)
        for shot in kept:  # each is told when it is whole: what is written is not lost by an interruption
            began = time.monotonic()
            yield from self._make_rest(shot, last)
            shot.record.seconds = round(shared + time.monotonic() - began, 3)
            yield self._close(shot)

    def _look(self, tray: list[ExplainedPicture], model: str) -> SharedPass | None:
        """Show the pictures of a tray to a model at once; alone, where that fails. The pass, where it is of use."""
        try:
            x, logits, way = self._show(tray, model)
        except Exception as error:
            if len(tray) > 1:
                for shot in tray:
                    self._look([shot], model)
            else:
                for panel in tray[0].panels:
                    if panel.model == model:
                        panel.refusal = as_problem(error)
            return None
        own, loaded = self._inputs[model], self._load(model)
        for shot, seen, believed in zip(tray, x, logits, strict=True):
            targets = [index for index in shot.job.targets if index is not None]
            classes = believed_classes(loaded.classifier, believed, TOP, targets)
            shot.sights[model] = ModelInput(model, own, shot.seen[model], seen, *classes)
            shot.record.inputs.append(input_record(shot.job, shot.sights[model]))
            examine([panel for panel in shot.panels if panel.model == model], shot.job, loaded)
        return way

    def _show(self, tray: list[ExplainedPicture], model: str) -> tuple[Tensor, Tensor, SharedPass | None]:
        """What a model sees, and its logits, in float64 on the CPU. With the pass, where there is one for all."""
        classifier = self._load(model).classifier
        pixels = torch.from_numpy(np.stack([shot.seen[model].pixels for shot in tray]))
        x = pixels.to(device=classifier.device, dtype=classifier.dtype)
        size = self._at_once(model)
        if self._layers[model] is not None and len(self.models) == 1 and len(tray) <= size:
            way = SharedPass(tray, ForwardPass(classifier, x, self._layers[model] or ()))
            return x, way.graph.logits.detach().double().cpu(), way
        with torch.no_grad():
            logits = torch.cat([classifier(part) for part in torch.split(x, size)])
        return x, logits.double().cpu(), None

    def _make_shared(self, tray: list[ExplainedPicture], model: str, way: SharedPass | None) -> Waiting[None]:
        """A model's panels of one pass, micro-batch by micro-batch."""
        for shot in tray:
            for panel in shot.of(model):
                if panel.refusal:
                    panel.record = unmade_panel(panel, self.context.zoo, panel.refusal)
        layers, size = self._layers[model], self._at_once(model)
        seeing = [shot for shot in tray if model in shot.sights]
        for start in range(0, len(seeing), size) if layers is not None else ():
            part = seeing[start : start + size]
            if way is None or part != way.shots:
                try:
                    x = torch.stack([shot.sights[model].x for shot in part])
                    way = SharedPass(part, ForwardPass(self._load(model).classifier, x, layers or ()))
                except Exception:
                    log.warning("a pass of %d pictures failed: one by one", len(part), exc_info=True)
                    break
            self._make_together(way, model)
            way = None
            yield None

    def _make_rest(self, shot: ExplainedPicture, model: str) -> Waiting[None]:
        """The panels of a model that a picture does not have yet, one by one."""
        for panel in shot.of(model):
            if panel.record is None:
                yield from self._make_alone(shot, panel, self._load(model))

    def _make_together(self, way: SharedPass, model: str) -> None:
        """The panels of one pass. Those that fail are left as they are."""
        places = {panel.id: panel for shot in way.shots for panel in shot.of(model)}
        any_class = int(self.question.against == 0)  # a picture without this panel goes along
        for id, one in places.items():
            if not isinstance(one.method, OnePass):
                continue
            wanted = [next((p for p in shot.of(model) if p.id == id and not p.refusal), None) for shot in way.shots]
            began = time.monotonic()
            try:
                loaded = self._load(model)
                score = self._score(loaded, tuple(panel.target if panel else any_class for panel in wanted))
                engine = SharedEngine(way.graph, score, loaded.backend)
                values, told = one.method.maps(engine, way.graph.pictures, one.parameters)
                seconds = (time.monotonic() - began) / len(wanted)
                for shot, panel, map in zip(way.shots, wanted, values, strict=True):
                    if panel:
                        attribution = Attribution(map, {"gradient_evaluations": 1, **told})
                        self._keep(shot, panel, *finished(attribution, seconds))
            except Exception:
                log.warning("%s of %d pictures at once failed: one by one", one.method.id, len(wanted), exc_info=True)

    def _make_alone(self, shot: ExplainedPicture, panel: PlannedPanel, loaded: LoadedModel) -> Waiting[None]:
        engine = loaded.engine(self._score(loaded, panel.target), micro_batch(self.context.settings, loaded.size))
        try:
            made = yield from waits(compute(panel, engine, shot.sights[panel.model].x, shot.job.seed))
            self._keep(shot, panel, *made)
        except Exception as error:
            panel.record = unmade_panel(panel, self.context.zoo, as_problem(error))

    def _keep(self, shot: ExplainedPicture, panel: PlannedPanel, values: np.ndarray, facts: MapFacts) -> None:
        """Put a finished map into the shot, and its record into the panel."""
        shot.maps[panel.id] = values
        panel.record = made_panel(shot.job, panel, self.context.zoo, facts, from_store=False)

    def _score(self, loaded: LoadedModel, target: Any) -> Score:
        return loaded.score(target, self.question.score, self.question.against)

    @staticmethod
    def _close(shot: ExplainedPicture) -> ExplainedPicture | FailedPicture:
        """The shot with its record, or why it is worth nothing: a map that broke off is not silently left out."""
        shot.record.status = "done"
        shot.record.panels = [panel.record for panel in shot.panels if panel.record is not None]
        for panel in shot.record.panels:
            if panel.status == "failed" and panel.problem is not None:
                return FailedPicture(shot.entry, ComputationFailed(f"{panel.method}: {panel.problem.detail}"))
        return shot


def waits(run: Generator[Any, None, R]) -> Waiting[R]:
    """What a generator returns; of what it yields only the turns that it hands over are passed on."""
    try:
        while True:
            if next(run) is None:
                yield None
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        run.close()


def ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], window: int) -> Iterator[R]:
    """`work` of each item, in order, with at most `window` of them begun ahead of the reader."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > window:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
