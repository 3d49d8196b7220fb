"""Runs every method on every picture, and every metric on every map."""

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
from ..attribution.metrics.base import ExplainedMap, Metric, MetricCost
from ..attribution.metrics.boxes import Box, Boxes
from ..contract.jobs import Explain
from ..contract.problems import Problem
from ..contract.wire import JsonObject
from ..images.decode import reduction
from ..images.image_files import ImageFile
from ..images.preprocess import PreprocessedImage, preprocess, requested_input
from ..pipeline.batch import READERS, ahead
from ..pipeline.context import Context
from ..pipeline.cost import PanelCost, progress_weight
from ..pipeline.measure import identity
from ..pipeline.model_input import top_classes
from ..pipeline.panel import micro_batch
from ..pipeline.plan import Chosen, PlannedPanel, check_panels, plan, raise_if_none_left
from ..pipeline.problems import as_problem
from ..pipeline.records import map_and_facts
from ..pipeline.resume import ResultCache, hash_of
from ..zoo.loader import LoadedModel
from . import thumbnails as thumbs
from .box_pointing import BOX_POINTING, BoxParameters
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
    explained_class,
    is_right,
    not_made,
    problem_record,
)
from .targets import Targets

READ_AHEAD = 4  # pictures that are read and decoded in advance
TOP_CLASSES = 5


@dataclass(frozen=True)
class MeasuredPicture:
    """A decoded picture, preprocessed for each model, with the boxes that were named for it.

    A large JPEG is decoded with its sides divided by `reduction`; boxes are in pixels of the picture as it is.
    """

    name: str
    hash: str
    size: tuple[int, int]
    preprocessed: dict[str, PreprocessedImage]
    boxes: tuple[Box, ...] = ()
    reduction: int = 1

    def boxes_for(self, model: str) -> Boxes | None:
        """The boxes as places of a map of a model; None if there are none."""
        width, height = (side * self.reduction for side in self.size)
        x0, y0, x1, y1 = (edge * self.reduction for edge in self.preprocessed[model].crop)
        return Boxes(self.boxes, (width, height), (x0, y0, x1, y1)) if self.boxes else None


@dataclass(frozen=True)
class GivenBoxes:
    """The boxes that were named, by picture, and the parameters of the pointing game with them."""

    by_picture: Mapping[str, tuple[Box, ...]] = field(default_factory=dict)
    parameters: BoxParameters = field(default_factory=BoxParameters)


@dataclass(frozen=True)
class FailedPicture:
    """A picture that could not be read or decoded."""

    name: str
    problem: Problem


@dataclass
class EvaluationResults:
    """The results of an evaluation: JSON records, in the order of the pictures."""

    pictures: list[PictureRecord] = field(default_factory=list)
    predictions: list[LookRecord] = field(default_factory=list)  # of a model for a picture
    maps: list[MapRecord] = field(default_factory=list)  # with their `metrics`
    grids: list[GridRecord] = field(default_factory=list)  # of a method on a grid
    games: list[GameRecord] = field(default_factory=list)  # of each model: its grids, or why there are none

    @property
    def failures(self) -> list[Failure]:
        """What is missing and why: `status`, `problem`, and `picture`, `model`, `method`, `metric` if they apply.

        Refusals are listed too: a method, metric or model does not apply. They do not count as failures of the run.
        """
        found: list[Failure] = [
            {"picture": p["picture"], "status": "failed", "problem": p["problem"]} for p in self.pictures
        ]
        found += [_failure(record) for record in (*self.predictions, *self.maps, *self.grids, *self.games)]
        for record in self.maps:
            place = {"picture": record["picture"], "model": record["model"], "method": record["method"]}
            found += [_failure({**place, **measured}) for measured in record["metrics"]]
        return [record for record in found if record["problem"]]

    @property
    def failed(self) -> bool:
        return any(record["status"] == "failed" for record in self.failures)


class Evaluation:
    """One request for many pictures: models × methods × metrics. `request` is a job without a picture.

    `targets` says which classes the maps explain, `boxes` where in each picture lies what they should show. Raises
    `Problem` if the request itself is wrong.
    """

    def __init__(
        self,
        request: Explain,
        context: Context,
        cache: ResultCache,
        progress: EvaluationProgress,
        targets: Targets | None = None,
        boxes: GivenBoxes | None = None,
    ) -> None:
        self.request, self.context, self.cache, self.progress = request, context, cache, progress
        self.targets, self.boxes = targets or Targets(), boxes or GivenBoxes()
        zoo = context.zoo
        self.panels = plan(request, zoo, context.settings)
        self.models = tuple(dict.fromkeys(panel.model for panel in self.panels))
        self.inputs = {id: requested_input(zoo.spec(id).input, request.fit, request.size) for id in self.models}
        self._costs: dict[str, PanelCost] = {}
        for id in self.models:
            loaded = self.load(id)
            check_panels(self.panels_of(id), request, loaded)
            for panel in self.panels_of(id):
                self._costs[panel.id] = panel.cost(loaded.classifier)
        raise_if_none_left(self.panels)

    def panels_of(self, model: str) -> list[PlannedPanel]:
        """The panels of a model."""
        return [panel for panel in self.panels if panel.model == model]

    def load(self, model: str, size: tuple[int, int] | None = None) -> LoadedModel:
        return self.context.zoo.load(model, size or self.inputs[model].size)

    def engine(self, loaded: LoadedModel, target: int) -> Engine:
        score = loaded.score(target, self.request.score)
        return loaded.engine(score, micro_batch(self.context.settings, loaded.size))

    def measure(self, entries: Sequence[ImageFile], names: dict[ImageFile, str]) -> EvaluationResults:
        """Compute the results for the pictures, with their `names`. Results of an earlier run come from the cache."""
        results = EvaluationResults()
        weight_per_picture = sum(self._costs[panel.id].progress_weight for panel in self.panels)
        self.progress.start_stage("maps and metrics", weight_per_picture * len(entries))
        for group_number, group in enumerate(self.context.zoo.groups(self.models)):  # each fits into memory
            panels = [panel for panel in self.panels if panel.model in group]
            for number, found in enumerate(self.read_pictures(entries, names, group), start=1):
                self.progress.show_item(f"{number}/{len(entries)} {found.name}")
                if group_number == 0:
                    results.pictures.append(_picture(found))
                if isinstance(found, FailedPicture):
                    self.progress.skip(sum(self._costs[panel.id].progress_weight for panel in panels))
                    continue
                for model in group:
                    self._measure_one(found, model, results)
        order = {panel.id: index for index, panel in enumerate(self.panels)}
        # stable: keeps the order of pictures if groups of models were computed in turns
        results.maps.sort(key=lambda record: order[record["id"]])
        return results

    def read_pictures(
        self, entries: Iterable[ImageFile], names: dict[ImageFile, str], models: Iterable[str]
    ) -> Iterator[MeasuredPicture | FailedPicture]:
        """Read, decode and preprocess the pictures; threads work some pictures in advance."""
        requested = tuple(models)

        def prepare(entry: ImageFile) -> MeasuredPicture | FailedPicture:
            try:
                data = entry.read()
                image = self.context.decoders.decode(data)
                preprocessed = {model: preprocess(image, self.inputs[model]) for model in requested}
                name, hash = names[entry], hashlib.sha256(data).hexdigest()
                boxes = self.boxes.by_picture.get(name, ())
                divided = reduction(data, self.context.settings.max_pixels) if boxes else 1
                return MeasuredPicture(name, hash, image.size, preprocessed, boxes, divided)
            except OSError as error:
                return FailedPicture(names[entry], Problem(error.strerror or str(error)))
            except Exception as error:
                return FailedPicture(names[entry], as_problem(error))

        with ThreadPoolExecutor(READERS, thread_name_prefix="reader") as readers:
            yield from ahead(readers, prepare, entries, READ_AHEAD)

    def predict(self, picture: MeasuredPicture, model: str) -> LookRecord:
        """A model's top classes for a picture, the class that its maps explain, and a thumbnail of its input."""
        target = self.targets.index(model, picture.name)
        of_target = () if target is None else (target,)
        key = hash_of("look", picture.hash, self.model_facts(model), *of_target)
        cached = self.cache.read(key)
        if cached is None:
            loaded = self.load(model)
            logits = loaded.logits(self.pixels(picture, model)[None])[0].double().cpu()
            classes, named = top_classes(loaded.classifier, logits, TOP_CLASSES, of_target)
            cached = {
                "classes": [found.to_dict() for found in classes],
                "thumb": thumbs.of_picture(picture.preprocessed[model].picture),
            }
            if named:
                cached["target"] = named[0].to_dict()
            self.cache.write(key, cached)
        return cast(LookRecord, {"picture": picture.name, "model": model, "problem": None, **cached})

    def pixels(self, picture: MeasuredPicture, model: str) -> Tensor:
        """A model's input, (C, H, W) on its device."""
        return self.engine(self.load(model), 0).to_device(torch.from_numpy(picture.preprocessed[model].pixels))

    def _measure_one(self, picture: MeasuredPicture, model: str, results: EvaluationResults) -> None:
        try:
            prediction = self.predict(picture, model)
        except Exception as error:
            no_prediction = not_made(as_problem(error))
            results.predictions.append(cast(LookRecord, {"picture": picture.name, "model": model, **no_prediction}))
            self.progress.skip(sum(self._costs[panel.id].progress_weight for panel in self.panels_of(model)))
            return
        results.predictions.append(prediction)
        target = explained_class(prediction)
        for panel in self.panels_of(model):
            record: MapRecord = {
                "picture": picture.name, "model": model, "method": panel.method.id, "id": panel.id,
                "target": target, "metrics": [], "problem": None,
            }  # fmt: skip
            if "target" in prediction:
                record["right"] = is_right(prediction)
            try:
                if panel.refusal:
                    raise panel.refusal
                record = cast(MapRecord, {**record, **self._measure_map(picture, panel, target["index"])})
            except Exception as error:
                record = {**record, **not_made(as_problem(error))}
                self.progress.skip(self._costs[panel.id].progress_weight if panel.refusal else 0)
            results.maps.append(record)

    def _measure_map(self, picture: MeasuredPicture, panel: PlannedPanel, target: int) -> JsonObject:
        """A map's record with its metrics; cached results are not computed again."""
        method_facts = panel.method.id, panel.parameters.model_dump()
        cache_key = hash_of("map", picture.hash, self.model_facts(panel.model), method_facts, target, self.request.seed)
        part = cast(MapPart, self.cache.read(cache_key) or {"metrics": {}})
        requested = self._requested(picture, panel)
        missing = [key for key in requested if key not in part["metrics"]]
        costs = self._costs[panel.id]
        weights = {key: progress_weight(costs.metrics.get(of[0].id, MetricCost())) for key, of in requested.items()}
        self.progress.skip(sum(weights[key] for key in requested if key not in missing))
        failed: dict[str, MetricRecord] = {}
        if missing or "statistics" not in part:
            explained = self._explain(picture, panel, target, part)
            self.cache.write(cache_key, part)
            for key in missing:
                record = self._measured(explained, requested[key], weights[key])
                if record["status"] == "failed":
                    failed[key] = record
                else:
                    part["metrics"][key] = record
                    self.cache.write(cache_key, part)
        else:
            self.progress.skip(progress_weight(costs.map))
        found = {**part["metrics"], **failed}
        return {**part, "status": "done", "metrics": [found[key] for key in requested]}

    def _requested(self, picture: MeasuredPicture, panel: PlannedPanel) -> dict[str, Chosen]:
        """What is measured of a map, by the metric's id and a hash of all else that determines its figures."""
        requested: dict[str, Chosen] = {}
        of_boxes: tuple[Chosen, ...] = ((BOX_POINTING, self.boxes.parameters),) if picture.boxes else ()
        for metric, given in (*panel.metrics, *of_boxes):
            facts = (*identity(metric, given)[1:], *([picture.boxes] if metric.of_boxes else []))
            requested[f"{metric.id} {hash_of(*facts)[:12]}"] = metric, given
        return requested

    def _explain(self, picture: MeasuredPicture, panel: PlannedPanel, target: int, part: MapPart) -> ExplainedMap:
        """Compute the map for its metrics. Its facts are added to `part`."""
        engine, x = self.engine(self.load(panel.model), target), self.pixels(picture, panel.model)
        began = time.monotonic()
        steps = panel.method.attribute(engine, x, panel.parameters, self.request.seed)
        attribution = self.progress.run(steps, progress_weight(self._costs[panel.id].map))
        values, facts = map_and_facts(attribution, time.monotonic() - began, engine)
        part.update(cast(MapPart, {**facts.to_dict(), "thumb": thumbs.of_map(values)}))
        map_values = torch.from_numpy(values).to(x)
        return ExplainedMap(
            engine,
            x,
            map_values,
            panel.method,
            panel.parameters,
            self.request.seed,
            diagnostics=attribution.diagnostics,
            boxes=picture.boxes_for(panel.model),
        )

    def _measured(self, explained: ExplainedMap, chosen: Chosen, weight: int) -> MetricRecord:
        metric, parameters = chosen
        began = time.monotonic()
        record = _metric_record(metric, parameters)
        try:
            try:
                metric.check(explained, parameters)
            except AttributionError:
                self.progress.skip(weight)
                raise
            measurement = self.progress.run(metric.measure(explained, parameters), weight)
            record |= {"status": "done", "figures": rounded(measurement.figures)}
        except Exception as error:
            record = {**record, **not_made(as_problem(error))}
        record["seconds"] = round(time.monotonic() - began, 3)
        return record

    def model_facts(self, model: str) -> tuple[Any, ...]:
        """Everything about a model that determines a picture's results."""
        classifier = self.load(model).classifier
        weights = (classifier.id, classifier.fingerprint)
        return weights, self.inputs[model].model_dump(), self.request.score, self.context.versions


def rounded(figures: Any) -> Any:
    """Figures rounded to 6 significant digits, which makes stored curves a third as large."""
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
