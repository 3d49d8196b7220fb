"""Many pictures with one question: methods of one pass share it among several pictures, the others have it full anyway.

Reading, decoding and preprocessing go on ahead in threads. What comes of a picture is what comes of it alone, but for
the rounding of another micro-batch.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from .attribution.base import Attribution, OnePass
from .attribution.engine import Engine
from .attribution.score import Score
from .errors import ComputationFailed, Problem
from .gather import Entry
from .making import compute, micro_batch
from .plan import Panel, examine, plan, refuse_if_nothing_is_left, settle_targets
from .records import done, finished, input_record, new_record, outcome, panel_record
from .service.jobs import Explain
from .sight import Sight, believed_classes, png, shown
from .turns import as_problem
from .vision.decode import decode
from .vision.preprocess import Seen, asked, preprocess
from .wire import npy
from .workshop import Workshop
from .zoo.classifier import Classifier

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
READERS = max(2, min(8, (os.cpu_count() or 2) // 2))
TRAYS = 8  # micro-batches that are begun with one model before it makes room for the next
WINDOW = 16  # pictures at most that are read ahead, and that wait to be written
TOP = 5  # classes that are told of each picture


@dataclass
class Shot:
    """A picture on its way: what models saw and believe of it, its panels, and their maps."""

    entry: Entry
    job: Explain
    picture: bytes  # as it is kept: a PNG without metadata
    size: tuple[int, int]
    seen: dict[str, Seen]
    sights: dict[str, Sight] = field(default_factory=dict)
    panels: list[Panel] = field(default_factory=list)
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)

    def read(self, name: str) -> bytes | None:
        """A part of the explanation by its name in the store."""
        kind, _, id = name.partition(":")
        if kind == "image":
            return self.picture
        if kind == "input":
            return png(self.seen[id].picture)
        return npy(self.maps[id]) if id in self.maps else None


@dataclass(frozen=True)
class Kept:
    """A picture whose results are there already."""

    entry: Entry


@dataclass(frozen=True)
class Fault:
    """A picture that could not be explained, and why."""

    entry: Entry
    problem: Problem


class Batch:
    """One question about many pictures. `question` is a job without a picture of its own.

    `is_kept` tells of an entry, and of the mark of its question, whether its results are there already.
    Raises `Problem` where the question itself is wrong.
    """

    def __init__(self, question: Explain, workshop: Workshop, is_kept: Callable[[Entry, str], bool]) -> None:
        self.question, self.workshop, self._is_kept = question, workshop, is_kept
        zoo = workshop.zoo
        panels = plan(question, zoo, workshop.settings)
        self.models = tuple(dict.fromkeys(panel.model for panel in panels))
        self._inputs = {id: asked(zoo.recipe(id).input, question.fit, question.size) for id in self.models}
        self._prints = {}
        for id in self.models:
            classifier = self._classifier(id)
            self._prints[id] = classifier.fingerprint
            examine([panel for panel in panels if panel.model == id], question, classifier)
        refuse_if_nothing_is_left(panels)
        self.tray = max(micro_batch(workshop.settings, own.size) for own in self._inputs.values())
        if len(zoo.groups(self.models)) > 1:  # models that take turns in memory stay for some pictures
            self.tray *= TRAYS
        self.window = min(2 * self.tray, WINDOW)

    def explain(self, entries: Iterable[Entry]) -> Iterator[Shot | Kept | Fault]:
        """What comes of each picture; shots are whole, with their record. Those with nothing to compute come first."""
        with ThreadPoolExecutor(READERS, thread_name_prefix="reader") as readers:
            tray: list[Shot] = []
            for found in ahead(readers, self._prepare, entries, self.window):
                if isinstance(found, Shot):
                    tray.append(found)
                else:
                    yield found
                if len(tray) == self.tray:
                    yield from self._explain_tray(tray)
                    tray = []
            if tray:
                yield from self._explain_tray(tray)

    def mark(self, data: bytes) -> str:
        """A hash of all that determines what comes of a picture."""
        asked_for = {name: value for name, value in asdict(self.question).items() if name not in ("id", "picture")}
        about = (hashlib.sha256(data).hexdigest(), asked_for, self._prints, self.workshop.versions)
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    def _classifier(self, model: str) -> Classifier:
        return self.workshop.zoo.load(model, self._inputs[model].size)

    def _prepare(self, entry: Entry) -> Shot | Kept | Fault:
        """In a reader's thread: everything up to what the models see."""
        try:
            data = entry.path.read_bytes()
            mark = self.mark(data)
            if self._is_kept(entry, mark):
                return Kept(entry)
            image = decode(data, self.workshop.settings.max_pixels)
            seen = {model: preprocess(image, own) for model, own in self._inputs.items()}
            job = replace(self.question, id=secrets.token_hex(16))
            shot = Shot(entry, job, shown(image), image.size, seen)
            shot.record = {**new_record(job, self.workshop, image.size), "source": str(entry.path), "mark": mark}
        except OSError as error:
            return Fault(entry, Problem(error.strerror or str(error)))
        except Exception as error:
            return Fault(entry, as_problem(error))
        return shot

    def _explain_tray(self, tray: list[Shot]) -> Iterator[Shot | Fault]:
        """The pictures of a tray, side by side."""
        began = time.monotonic()
        for shot in tray:
            shot.panels = plan(shot.job, self.workshop.zoo, self.workshop.settings)
        for model in self.models:
            self._look(tray, model)
        kept: list[Shot] = []
        for shot in tray:
            try:
                settle_targets(shot.panels, {id: sight.classes[0]["index"] for id, sight in shot.sights.items()})
            except Problem as problem:
                yield Fault(shot.entry, problem)
            else:
                kept.append(shot)
        for model in self.models:
            self._make(kept, model)
        for shot in kept:
            shot.record["seconds"] = round((time.monotonic() - began) / len(tray), 3)
            yield self._close(shot)

    def _look(self, tray: list[Shot], model: str) -> None:
        """Show all pictures of a tray to a model at once; alone, where that fails."""
        try:
            x, logits = self._pass(tray, model)
        except Exception as error:
            if len(tray) > 1:
                for shot in tray:
                    self._look([shot], model)
                return
            for panel in tray[0].panels:
                if panel.model == model:
                    panel.refusal = as_problem(error)
            return
        own, classifier = self._inputs[model], self._classifier(model)
        for shot, seen, believed in zip(tray, x, logits, strict=True):
            targets = [index for index in shot.job.targets if index is not None]
            classes = believed_classes(classifier, believed, TOP, targets)
            shot.sights[model] = Sight(model, own, shot.seen[model], seen, *classes)
            shot.record["inputs"].append(input_record(shot.job, shot.sights[model]))
            examine([panel for panel in shot.panels if panel.model == model], shot.job, classifier)

    @torch.no_grad()
    def _pass(self, tray: list[Shot], model: str) -> tuple[Tensor, Tensor]:
        """What a model sees of the pictures of a tray, and its logits for them, in float64 on the CPU."""
        own, classifier = self._inputs[model], self._classifier(model)
        pixels = torch.from_numpy(np.stack([shot.seen[model].pixels for shot in tray]))
        x = pixels.to(device=classifier.device, dtype=classifier.dtype)
        parts = torch.split(x, micro_batch(self.workshop.settings, own.size))
        return x, torch.cat([classifier(part) for part in parts]).double().cpu()

    def _make(self, tray: list[Shot], model: str) -> None:
        """A model's panels: method by method, each for all pictures of the tray."""
        by_method: dict[str, list[tuple[Shot, Panel]]] = {}
        for shot in tray:
            for panel in shot.panels:
                if panel.model == model:
                    panel.record = panel_record(panel, self.workshop.zoo)
                    if panel.refusal:
                        panel.record |= outcome(panel.refusal)
                    else:
                        by_method.setdefault(panel.method.id, []).append((shot, panel))
        size = micro_batch(self.workshop.settings, self._inputs[model].size)
        for wanted in by_method.values():
            for start in range(0, len(wanted), size):
                self._make_together(wanted[start : start + size], self._classifier(model))

    def _make_together(self, wanted: Sequence[tuple[Shot, Panel]], classifier: Classifier) -> None:
        """Panels of one method, in one pass where the method allows it; alone, where they fail together."""
        method = wanted[0][1].method
        if isinstance(method, OnePass) and len(wanted) > 1:
            began = time.monotonic()
            try:
                score = self._score(classifier, tuple(panel.target for _, panel in wanted))
                x = torch.stack([shot.sights[classifier.id].x for shot, _ in wanted])
                values, told = method.maps(Engine(classifier, score, len(wanted)), x, wanted[0][1].parameters)
                seconds = (time.monotonic() - began) / len(wanted)
                for (shot, panel), map in zip(wanted, values, strict=True):
                    keep(shot, panel, *finished(Attribution(map, {"gradient_evaluations": 1, **told}), seconds))
                return
            except Exception:
                log.warning("%s of %d pictures at once failed: one by one", method.id, len(wanted), exc_info=True)
        for shot, panel in wanted:
            self._make_alone(shot, panel, classifier)

    def _make_alone(self, shot: Shot, panel: Panel, classifier: Classifier) -> None:
        engine = Engine(
            classifier, self._score(classifier, panel.target), micro_batch(self.workshop.settings, classifier.size)
        )
        try:
            keep(shot, panel, *ended(compute(panel, engine, shot.sights[panel.model].x, shot.job.seed)))
        except Exception as error:
            panel.record |= outcome(as_problem(error))

    def _score(self, classifier: Classifier, target: Any) -> Score:
        return Score(target, self.question.score, self.question.against, classifier.multilabel)

    @staticmethod
    def _close(shot: Shot) -> Shot | Fault:
        """The shot with its record, or why it is worth nothing: a map that broke off is not silently left out."""
        shot.record |= {"status": "done", "panels": [panel.record for panel in shot.panels]}
        for panel in shot.panels:
            if panel.record["status"] == "failed":
                return Fault(shot.entry, ComputationFailed(f"{panel.method.id}: {panel.record['problem']['detail']}"))
        return shot


def keep(shot: Shot, panel: Panel, values: np.ndarray, about: dict[str, Any]) -> None:
    """Put a finished map into the shot and its panel's record."""
    shot.maps[panel.id] = values
    panel.record |= done(shot.job, panel, about)


def ended(run: Generator[Any, None, R]) -> R:
    """What a generator returns; what it yields is passed over."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], window: int) -> Iterator[R]:
    """`work` of each item, in order, with at most `window` of them begun ahead of the reader."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > window:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
