"""Runs an evaluation from a shell, with a progress bar, and writes it into a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from ..attribution.memory import keep_freed_memory
from ..contract.jobs import Explain
from ..contract.wire import JsonObject
from ..evaluation.box_file import read_boxes
from ..evaluation.box_pointing import BOX_POINTING, TOLERANCE, BoxParameters
from ..evaluation.output import write_all
from ..evaluation.pointing_game import DEFAULT_GRIDS, PointingGame
from ..evaluation.progress import EvaluationProgress
from ..evaluation.report import group_failures
from ..evaluation.run import Evaluation, EvaluationResults, GivenBoxes
from ..evaluation.targets import resolve
from ..images.image_files import ImageFile
from ..pipeline.batch import READERS
from ..pipeline.context import Context
from ..pipeline.fetch import fetch_all
from ..pipeline.progress import ProgressBars
from ..pipeline.resume import ResultCache
from ..settings import Settings

CACHE_FOLDER = ".parts"  # in the folder for results: what a run that is started again does not compute again


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of an evaluation beside the request: the folder of pictures, the folder for results, the number of grids
    of the pointing game (None: the default if there are enough pictures), the least probability of the top class of a
    picture in a grid, the command line for the report, the class of the maps (None: the top class), and a file of boxes
    with the tolerance of the pointing game in pixels (None: the default)."""

    folder: Path
    out: Path
    grids: int | None
    confidence: float
    command: str
    target: str | None = None
    boxes: Path | None = None
    tolerance: float | None = None


def evaluate_folder(
    entries: Sequence[ImageFile], request: Explain, settings: Settings, options: EvaluateOptions, console: Console
) -> bool:
    """Evaluate and write all results. Returns whether nothing failed. Raises `Problem`."""
    keep_freed_memory()
    # the limits protect servers; here the user's own machine computes
    context = Context.open(settings.model_copy(update={"max_work": sys.maxsize, "max_panels": sys.maxsize}), READERS)
    context.decoders.warm()
    models = tuple(dict.fromkeys(request.models)) or (settings.default_model,)
    # a picture is named by its folder for results, as in a/cat.jpg
    names = {entry: str(entry.folder.relative_to(options.out)) for entry in entries}
    folders = {names[entry]: Path(os.path.abspath(entry.path)).parent.name for entry in entries}
    targets = resolve(options.target, context.zoo, models, folders)
    boxes = _boxes(options, names.values(), console)
    fetch_all(context.zoo, models, settings, console)
    with ProgressBars(console) as bars:
        progress = EvaluationProgress(bars)
        evaluation = Evaluation(request, context, ResultCache(options.out / CACHE_FOLDER), progress, targets, boxes)
        results = evaluation.measure(entries, names)
        if options.grids != 0:
            PointingGame(evaluation, results, options.grids or DEFAULT_GRIDS, options.confidence).play(entries, names)
        progress.end()
    write_all(options.out, report_head(evaluation, options, len(entries)), results, request.seed)
    print_summary(results, options.out, console)
    return not results.failed


def _boxes(options: EvaluateOptions, pictures: Iterable[str], console: Console) -> GivenBoxes:
    """The boxes in the file that was named; what is left out is told. Raises `Problem`."""
    if options.boxes is None:
        return GivenBoxes()
    found = read_boxes(options.boxes, pictures)
    if found.left_out:
        console.print(found.left_out, highlight=False, markup=False, soft_wrap=True)
    tolerance = TOLERANCE if options.tolerance is None else options.tolerance
    return GivenBoxes(found.by_picture, BoxParameters(tolerance=tolerance))


def report_head(evaluation: Evaluation, options: EvaluateOptions, count: int) -> JsonObject:
    """The report's head: request, pictures, models and versions."""
    request = evaluation.request
    metrics = {metric.id: given.model_dump() for metric, given in evaluation.panels[0].metrics}
    if evaluation.boxes.by_picture:
        metrics[BOX_POINTING.id] = evaluation.boxes.parameters.model_dump()
    return {
        "folder": options.folder.resolve().name,
        "date": datetime.now(UTC).date().isoformat(),
        "command": options.command,
        "versions": evaluation.context.versions,
        "seed": request.seed,
        "score": request.score,
        "pictures": count,
        "confidence": options.confidence,
        "target": evaluation.targets.wanted,
        "models": {
            id: {"fingerprint": evaluation.load(id).classifier.fingerprint, **evaluation.inputs[id].model_dump()}
            for id in evaluation.models
        },
        "methods": {panel.method.id: panel.parameters.model_dump() for panel in evaluation.panels},
        "metrics": metrics,
        "boxes": len(evaluation.boxes.by_picture),
    }


def print_summary(results: EvaluationResults, out: Path, console: Console) -> None:
    """Print what was refused or failed, and the path of the report."""
    for failure in group_failures(results.failures):
        names = filter(None, (failure["method"], failure["metric"], *failure["models"]))
        subject = ", ".join(names) or failure["pictures"][0]
        times = f" ({len(failure['pictures'])} pictures)" if len(failure["pictures"]) > 1 else ""
        line = f"{subject} {failure['status']}: {failure['problem']['detail']}{times}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"{out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
