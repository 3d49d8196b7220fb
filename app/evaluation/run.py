"""Every method on every picture, and every metric of every map."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from ..attribution.engine import Engine
from ..attribution.errors import AttributionError
from ..attribution.methods.base import Parameters
from ..attribution.metrics.base import ExplainedMap, Metric
from ..contract.jobs import Explain
from ..contract.problems import Problem
from ..contract.wire import JsonObject
from ..images.image_files import ImageFile
from ..images.preprocess import PreprocessedImage, asked, preprocess
from ..pipeline.batch import READERS, ahead
from ..pipeline.context import Context
from ..pipeline.cost import PanelCost, weight
from ..pipeline.model_input import believed_classes
from ..pipeline.panel import micro_batch
from ..pipeline.plan import Chosen, PlannedPanel, examine, plan, refuse_if_nothing_is_left
from ..pipeline.problems import as_problem
from ..pipeline.records import finished
from ..pipeline.resume import ResultCache, mark
from ..zoo.loader import LoadedModel
from . import thumbnails as thumbs
from .progress import EvaluationProgress
from .records import (
    Failure,
    GameRecord,
    GridRecord,
    LookRecord,
    MapPart,
    MapRecord,
    MetricRecord,
    PictureRecord,
    not_made,
    problem_record,
)

AHEAD = 4  # pictures that are read and decoded before it is their turn
TOP = 5


@dataclass(frozen=True)
class MeasuredPicture:
    """A picture that could be decoded, as the models see it."""

    name: str
    hash: str
    size: tuple[int, int]
    seen: dict[str, PreprocessedImage]


@dataclass(frozen=True)
class FailedPicture:
    """A picture that could not."""

    name: str
    problem: Problem


@dataclass
class EvaluationResults:
    """What a run has found: plain records, in the order of the pictures."""

    pictures: list[PictureRecord] = field(default_factory=list)
    looks: list[LookRecord] = field(default_factory=list)  # what a model believes of a picture
    maps: list[MapRecord] = field(default_factory=list)  # with their `metrics`
    grids: list[GridRecord] = field(default_factory=list)  # a method on a grid
    games: list[GameRecord] = field(default_factory=list)  # of each model: how its grids were made, or why not

    @property
    def failures(self) -> list[Failure]:
        """What could not be made, and why: `picture`, `model`, `method`, `metric` where they are, `status`, `problem`.

        A refusal is by nature of a method, a metric or a model; it is told, and is no failure of the run.
        """
        found: list[Failure] = [
            {"picture": p["picture"], "status": "failed", "problem": p["problem"]} for p in self.pictures
        ]
        found += [_failure(record) for record in (*self.looks, *self.maps, *self.grids, *self.games)]
        for record in self.maps:
            place = {"picture": record["picture"], "model": record["model"], "method": record["method"]}
            found += [_failure({**place, **measured}) for measured in record["metrics"]]
        return [record for record in found if record["problem"]]

    @property
    def failed(self) -> bool:
        return any(record["status"] == "failed" for record in self.failures)


class Evaluation:
    """One question about many pictures: models × methods × metrics. `question` is a job without a picture.

    Raises `Problem` where the question itself is wrong.
    """

    def __init__(self, question: Explain, context: Context, parts: ResultCache, course: EvaluationProgress) -> None:
        self.question, self.context, self.parts, self.course = question, context, parts, course
        zoo = context.zoo
        self.panels = plan(question, zoo, context.settings)
        self.models = tuple(dict.fromkeys(panel.model for panel in self.panels))
        self.inputs = {id: asked(zoo.recipe(id).input, question.fit, question.size) for id in self.models}
        self._costs: dict[str, PanelCost] = {}
        for id in self.models:
            loaded = self.load(id)
            examine(self.of(id), question, loaded)
            for panel in self.of(id):
                self._costs[panel.id] = panel.cost(loaded.classifier)
        refuse_if_nothing_is_left(self.panels)

    def of(self, model: str) -> list[PlannedPanel]:
        """A model's panels."""
        return [panel for panel in self.panels if panel.model == model]

    def load(self, model: str, size: tuple[int, int] | None = None) -> LoadedModel:
        return self.context.zoo.load(model, size or self.inputs[model].size)

    def engine(self, loaded: LoadedModel, target: int) -> Engine:
        score = loaded.score(target, self.question.score)
        return loaded.engine(score, micro_batch(self.context.settings, loaded.size))

    def measure(self, entries: Sequence[ImageFile], names: dict[ImageFile, str]) -> EvaluationResults:
        """What comes of the pictures; what is kept of an earlier run is taken from there."""
        findings = EvaluationResults()
        each = sum(self._costs[panel.id].weight for panel in self.panels)
        self.course.begin("maps and metrics", each * len(entries))
        for number, group in enumerate(self.context.zoo.groups(self.models)):
            own = [panel for panel in self.panels if panel.model in group]
            for place, found in enumerate(self.shots(entries, names, group), start=1):
                self.course.at(f"{place}/{len(entries)} {found.name}")
                if number == 0:
                    findings.pictures.append(_picture(found))
                if isinstance(found, FailedPicture):
                    self.course.skip(sum(self._costs[panel.id].weight for panel in own))
                    continue
                for model in group:
                    self._measure_one(found, model, findings)
        order = {panel.id: place for place, panel in enumerate(self.panels)}
        findings.maps.sort(key=lambda record: order[record["id"]])  # stable: models that took turns in memory
        return findings

    def shots(
        self, entries: Iterable[ImageFile], names: dict[ImageFile, str], models: Iterable[str]
    ) -> Iterator[MeasuredPicture | FailedPicture]:
        """The pictures, read and decoded ahead in threads."""
        wanted = tuple(models)

        def ready(entry: ImageFile) -> MeasuredPicture | FailedPicture:
            try:
                data = entry.read()
                image = self.context.decoders.decode(data)
                seen = {model: preprocess(image, self.inputs[model]) for model in wanted}
                return MeasuredPicture(names[entry], hashlib.sha256(data).hexdigest(), image.size, seen)
            except OSError as error:
                return FailedPicture(names[entry], Problem(error.strerror or str(error)))
            except Exception as error:
                return FailedPicture(names[entry], as_problem(error))

        with ThreadPoolExecutor(READERS, thread_name_prefix="reader") as readers:
            yield from ahead(readers, ready, entries, AHEAD)

    def look(self, shot: MeasuredPicture, model: str) -> LookRecord:
        """The classes that a model believes in most, and a thumbnail of what it saw."""
        own = mark("look", shot.hash, self.about(model))
        kept = self.parts.read(own)
        if kept is None:
            loaded = self.load(model)
            logits = loaded.logits(self.pixels(shot, model)[None])[0].double().cpu()
            classes, _ = believed_classes(loaded.classifier, logits, TOP, ())
            kept = {
                "classes": [found.to_dict() for found in classes],
                "thumb": thumbs.of_picture(shot.seen[model].picture),
            }
            self.parts.write(own, kept)
        return cast(LookRecord, {"picture": shot.name, "model": model, "problem": None, **kept})

    def pixels(self, shot: MeasuredPicture, model: str) -> Tensor:
        """What a model sees of it, (C, H, W) on the device."""
        return self.engine(self.load(model), 0).place(torch.from_numpy(shot.seen[model].pixels))

    def _measure_one(self, shot: MeasuredPicture, model: str, findings: EvaluationResults) -> None:
        try:
            look = self.look(shot, model)
        except Exception as error:
            refused = not_made(as_problem(error))
            findings.looks.append(cast(LookRecord, {"picture": shot.name, "model": model, **refused}))
            self.course.skip(sum(self._costs[panel.id].weight for panel in self.of(model)))
            return
        findings.looks.append(look)
        for panel in self.of(model):
            record: MapRecord = {
                "picture": shot.name, "model": model, "method": panel.method.id, "id": panel.id,
                "target": look["classes"][0], "metrics": [], "problem": None,
            }  # fmt: skip
            try:
                if panel.refusal:
                    raise panel.refusal
                record = cast(MapRecord, {**record, **self._judge(shot, panel, look["classes"][0]["index"])})
            except Exception as error:
                record = {**record, **not_made(as_problem(error))}
                self.course.skip(self._costs[panel.id].weight if panel.refusal else 0)
            findings.maps.append(record)

    def _judge(self, shot: MeasuredPicture, panel: PlannedPanel, target: int) -> JsonObject:
        """A map and its metrics; what was kept of them is not made again."""
        settled = panel.method.id, panel.parameters.model_dump()
        own = mark("map", shot.hash, self.about(panel.model), settled, target, self.question.seed)
        part = cast(MapPart, self.parts.read(own) or {"metrics": {}})
        wanted = {f"{metric.id} {mark(given.model_dump())[:12]}": (metric, given) for metric, given in panel.metrics}
        missing = [key for key in wanted if key not in part["metrics"]]
        costs = self._costs[panel.id]
        self.course.skip(sum(weight(costs.metrics[wanted[key][0].id]) for key in wanted if key not in missing))
        failed: dict[str, MetricRecord] = {}
        if missing or "statistics" not in part:
            subject = self._explain(shot, panel, target, part)
            self.parts.write(own, part)
            for key in missing:
                record = self._measured(subject, wanted[key], weight(costs.metrics[wanted[key][0].id]))
                if record["status"] == "failed":
                    failed[key] = record
                else:
                    part["metrics"][key] = record
                    self.parts.write(own, part)
        else:
            self.course.skip(weight(costs.map))
        found = {**part["metrics"], **failed}
        return {**part, "status": "done", "metrics": [found[key] for key in wanted]}

    def _explain(self, shot: MeasuredPicture, panel: PlannedPanel, target: int, part: MapPart) -> ExplainedMap:
        """The map, for its metrics; what is told of it goes into `part`."""
        engine, x = self.engine(self.load(panel.model), target), self.pixels(shot, panel.model)
        began = time.monotonic()
        steps = panel.method.attribute(engine, x, panel.parameters, self.question.seed)
        attribution = self.course.follow(steps, weight(self._costs[panel.id].map))
        values, facts = finished(attribution, time.monotonic() - began)
        part.update(cast(MapPart, {**facts.to_dict(), "thumb": thumbs.of_map(values)}))
        kept = torch.from_numpy(values).to(x)
        return ExplainedMap(
            engine, x, kept, panel.method, panel.parameters, self.question.seed, diagnostics=attribution.diagnostics
        )

    def _measured(self, subject: ExplainedMap, chosen: Chosen, share: int) -> MetricRecord:
        metric, parameters = chosen
        began = time.monotonic()
        record = _metric_record(metric, parameters)
        try:
            try:
                metric.check(subject, parameters)
            except AttributionError:
                self.course.skip(share)
                raise
            measurement = self.course.follow(metric.measure(subject, parameters), share)
            record |= {"status": "done", "figures": rounded(measurement.figures)}
        except Exception as error:
            record = {**record, **not_made(as_problem(error))}
        record["seconds"] = round(time.monotonic() - began, 3)
        return record

    def about(self, model: str) -> tuple[Any, ...]:
        """All of a model that determines what comes of a picture."""
        classifier = self.load(model).classifier
        named = (classifier.id, classifier.fingerprint)
        return named, self.inputs[model].model_dump(), self.question.score, self.context.versions


def rounded(figures: Any) -> Any:
    """Figures with 6 significant digits: what is kept of a thousand curves is a third as large."""
    if isinstance(figures, dict):
        return {name: rounded(value) for name, value in figures.items()}
    if isinstance(figures, (list, tuple)):
        return [rounded(value) for value in figures]
    return float(f"{figures:.6g}") if isinstance(figures, float) else figures


def _metric_record(metric: Metric[Any], parameters: Parameters) -> MetricRecord:
    return {"metric": metric.id, "status": None, "parameters": parameters.model_dump(), "figures": None,
            "problem": None}  # fmt: skip


def _picture(found: MeasuredPicture | FailedPicture) -> PictureRecord:
    if isinstance(found, FailedPicture):
        return {"picture": found.name, "width": None, "height": None, "problem": problem_record(found.problem)}
    return {"picture": found.name, "width": found.size[0], "height": found.size[1], "problem": None}


def _failure(record: Mapping[str, Any]) -> Failure:
    place = {name: record[name] for name in ("picture", "model", "method", "metric") if name in record}
    return cast(Failure, {**place, "status": record.get("status"), "problem": record["problem"]})
