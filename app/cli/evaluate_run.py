"""An evaluation from a shell: with a progress bar, into a folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from ..attribution.memory import keep_freed
from ..contract.jobs import Explain
from ..contract.wire import JsonObject
from ..evaluation.output import write_all
from ..evaluation.pointing_game import DEFAULT, PointingGame
from ..evaluation.progress import EvaluationProgress
from ..evaluation.report import gather
from ..evaluation.run import Evaluation, EvaluationResults
from ..images.image_files import ImageFile
from ..pipeline.batch import READERS
from ..pipeline.context import Context
from ..pipeline.fetch import fetch_all
from ..pipeline.progress import ProgressBars
from ..pipeline.resume import ResultCache
from ..settings import Settings

PARTS = ".parts"


@dataclass(frozen=True)
class EvaluateOptions:
    """What is asked for beside the question: grids (None: the usual number, where enough pictures fit), the folder of
    pictures, where everything goes, and the command, to be told."""

    folder: Path
    out: Path
    grids: int | None
    confidence: float
    command: str


def evaluate_folder(
    entries: Sequence[ImageFile], question: Explain, settings: Settings, order: EvaluateOptions, console: Console
) -> bool:
    """Evaluate, and write everything. Whether nothing failed; raises `Problem`."""
    keep_freed()
    # a limit is for strangers' requests; here they are the operator's own hours
    context = Context.open(settings.model_copy(update={"max_work": sys.maxsize, "max_panels": sys.maxsize}), READERS)
    context.decoders.warm()
    fetch_all(context.zoo, question.models or (settings.default_model,), settings, console)
    names = {entry: str(entry.folder.relative_to(order.out)) for entry in entries}
    with ProgressBars(console) as bars:
        course = EvaluationProgress(bars)
        evaluation = Evaluation(question, context, ResultCache(order.out / PARTS), course)
        findings = evaluation.measure(entries, names)
        if order.grids != 0:
            PointingGame(evaluation, findings, order.grids or DEFAULT, order.confidence).play(entries, names)
        course.end()
    write_all(order.out, head(evaluation, order, len(entries)), findings, question.seed)
    tell(findings, order.out, console)
    return not findings.failed


def head(evaluation: Evaluation, order: EvaluateOptions, count: int) -> JsonObject:
    """What was asked, of what, and by what."""
    question = evaluation.question
    return {
        "folder": order.folder.resolve().name,
        "date": datetime.now(UTC).date().isoformat(),
        "command": order.command,
        "versions": evaluation.context.versions,
        "seed": question.seed,
        "score": question.score,
        "pictures": count,
        "confidence": order.confidence,
        "models": {
            id: {"fingerprint": evaluation.load(id).classifier.fingerprint, **evaluation.inputs[id].model_dump()}
            for id in evaluation.models
        },
        "methods": {panel.method.id: panel.parameters.model_dump() for panel in evaluation.panels},
        "metrics": {metric.id: given.model_dump() for metric, given in evaluation.panels[0].metrics},
    }


def tell(findings: EvaluationResults, out: Path, console: Console) -> None:
    """What was not made, and where the rest is."""
    for one in gather(findings.failures):
        what = ", ".join(filter(None, (one["method"], one["metric"], *one["models"]))) or one["pictures"][0]
        times = f" ({len(one['pictures'])} pictures)" if len(one["pictures"]) > 1 else ""
        line = f"{what} {one['status']}: {one['problem']['detail']}{times}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"{out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
