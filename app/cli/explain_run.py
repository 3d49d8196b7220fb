"""Explanations from a shell: the same pipeline in this process, with progress bars, into folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ..attribution.memory import keep_freed
from ..attribution.methods.base import methods
from ..contract.events import AcceptedEvent, DoneEvent, Event, PredictionEvent, ProgressEvent
from ..contract.jobs import Explain
from ..contract.records import Explanation
from ..images.image_files import ImageFile
from ..pipeline.archive import files, read_request_mark, write_explanation
from ..pipeline.batch import READERS, Batch, ExplainedPicture, FailedPicture, SkippedPicture, ahead
from ..pipeline.context import Context
from ..pipeline.pipeline import run
from ..pipeline.turns import as_problem
from ..settings import Settings
from ..storage.stores import AnyStore
from ..zoo.zoo import Zoo
from .models import fetch
from .progress import FolderProgress, refusals

WRITERS = max(1, min(4, (os.cpu_count() or 1) // 4))


def explain_one(job: Explain, settings: Settings, folder: Path, console: Console) -> Explanation:
    """Run a job to its end and write its results into `folder`. Returns the record; raises `Problem`."""
    context = _open(job, settings, console)
    bars = Progress(
        TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    record: Explanation | None = None
    with bars:
        tasks: dict[tuple[str, str | None], TaskID] = {}
        for event in run(job, context):
            if event is not None:
                record = _follow(event, bars, tasks) or record
    assert record is not None  # the last event is `done`
    _write(record, context.store, folder)
    _tell(record, folder, console)
    return record


def explain_many(entries: Sequence[ImageFile], question: Explain, settings: Settings, console: Console) -> bool:
    """Explain many pictures, each into its folder. Whether all could be; raises `Problem`."""
    batch = Batch(
        question, _open(question, settings, console), lambda entry, mark: read_request_mark(entry.folder) == mark
    )
    with FolderProgress(len(entries), console) as tally:
        for result in explain_batch(batch, entries):
            if isinstance(result, FailedPicture):
                tally.fault(result.entry, result.problem)
            elif isinstance(result, ExplainedPicture):
                tally.done(result.entry, result.record)
            else:
                tally.kept(result.entry)
    tally.tell()
    return not tally.faults


def explain_batch(
    batch: Batch, entries: Iterable[ImageFile]
) -> Iterator[ExplainedPicture | SkippedPicture | FailedPicture]:
    """What comes of each picture, when it is written: that goes on in a thread behind the computing."""
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="writer") as writers:
        yield from ahead(writers, write_picture, batch.explain(entries), batch.window)


def write_picture(
    result: ExplainedPicture | SkippedPicture | FailedPicture,
) -> ExplainedPicture | SkippedPicture | FailedPicture:
    """Write what came of a picture into its folder."""
    if isinstance(result, ExplainedPicture):
        try:
            write_explanation(result.entry.folder, files(result.record, result.read, titles()))
        except Exception as error:
            return FailedPicture(result.entry, as_problem(error))
    return result


def titles() -> dict[str, str]:
    """The methods' titles, for captions."""
    return {id: method.title for id, method in methods().items()}


def _open(job: Explain, settings: Settings, console: Console) -> Context:
    """A workshop that has the weights of the job's models; they are downloaded where that is possible."""
    keep_freed()
    context = Context.open(settings, READERS)
    context.decoders.warm()
    fetch_all(context.zoo, job.models, settings, console)
    return context


def fetch_all(zoo: Zoo, models: Iterable[str], settings: Settings, console: Console | None = None) -> None:
    """Download the weights of models that are not here. Raises `Problem`."""
    for model in models:
        if zoo.weights.availability(zoo.recipe(model).weights) == "downloadable":
            fetch(zoo, model, settings, console or Console(stderr=True))


def _follow(event: Event, bars: Progress, tasks: dict[tuple[str, str | None], TaskID]) -> Explanation | None:
    if isinstance(event, AcceptedEvent):
        for panel in event.panels:
            tasks[panel.id, None] = bars.add_task(panel.method, total=panel.cost)
    elif isinstance(event, PredictionEvent):
        best = event.predictions[0]
        bars.console.print(f"{event.model}: {best.label} ({best.probability:.2f})", highlight=False)
    elif isinstance(event, ProgressEvent):
        part = event.panel, event.metric
        if part not in tasks:
            tasks[part] = bars.add_task(f"  {event.metric} of {event.panel}", total=event.total)
        bars.update(tasks[part], completed=event.done, total=event.total)
    return event.record if isinstance(event, DoneEvent) else None


def _write(record: Explanation, store: AnyStore, folder: Path) -> None:
    for name, data in files(record, lambda part: store.read(record.id, part), titles()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _tell(record: Explanation, folder: Path, console: Console) -> None:
    for line in refusals(record):
        console.print(line, highlight=False, markup=False)
    for panel in record.panels:
        for metric, measured in panel.metrics.items():
            said = [finding.detail for finding in measured.findings]
            said = said or [measured.problem.detail if measured.problem else measured.status]
            for line in said:
                console.print(f"{panel.method}, {metric}: {line}", highlight=False, markup=False)
    done = sum(panel.status == "done" for panel in record.panels)
    console.print(f"{done} of {len(record.panels)} maps in {record.seconds:.1f} s: {folder}/", highlight=False)
