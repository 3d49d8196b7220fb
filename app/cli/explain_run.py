"""Runs explanations from a shell: the pipeline in this process, with progress bars, results written into folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from ..attribution.memory import keep_freed_memory
from ..contract.events import AcceptedEvent, DoneEvent, Event, PanelEvent, PredictionEvent, ProgressEvent
from ..contract.jobs import AddMap, Explain
from ..contract.measure_job import measure_job
from ..contract.problems import Problem
from ..contract.records import Explanation
from ..images.image_files import ImageFile
from ..pipeline.archive import files, part_reader, with_file_names
from ..pipeline.batch import READERS, Batch, ExplainedPicture, FailedPicture, SkippedPicture, ahead
from ..pipeline.catalogue import titles
from ..pipeline.context import Context
from ..pipeline.fetch import fetch_all
from ..pipeline.pipeline import run
from ..pipeline.problems import as_problem
from ..pipeline.progress import PanelBars, ProgressBars
from ..pipeline.resume import ResultFolder, require_writable, write_file
from ..pipeline.turns import Run
from ..settings import Settings
from ..storage.stores import AnyStore
from .progress import FolderProgress, notes, refusals

WRITERS = max(1, min(4, (os.cpu_count() or 1) // 4))


def explain_one(
    job: Explain, settings: Settings, folder: Path, console: Console, maps: Sequence[tuple[str, bytes]] = ()
) -> Explanation:
    """Run a job and write its results into `folder`, with `maps` that were made elsewhere (title, .npy) beside them.

    Returns the record. Raises `Problem`.
    """
    require_writable(folder)
    context = _open(job, settings, console)
    record: Explanation | None = None
    with ProgressBars(console) as bars:
        panels = PanelBars(bars)
        for event in run(job, context):
            if event is not None:
                record = _update_bars(event, console, panels) or record
        for title, values in maps:
            record = _add_map(AddMap(job.id, values, title), job, context)
    assert record is not None  # the last event is `done`
    _write(record, context.store, folder)
    _print_summary(record, folder, console)
    return record


def _add_map(added: AddMap, job: Explain, context: Context) -> Explanation:
    """Put a map beside those of an explanation, and measure what was asked for of all. Returns the record."""
    record = _record_of(run(added, context))
    if not job.metrics:
        return record
    return _record_of(run(measure_job(record, record.panels[-1].id, job.picture, job.metrics, job.options), context))


def _record_of(events: Run) -> Explanation:
    (record,) = [event.record for event in events if isinstance(event, DoneEvent)]
    return record


def explain_many(
    entries: Sequence[ImageFile], request: Explain, settings: Settings, console: Console
) -> dict[Path, Problem]:
    """Explain many pictures, each into its folder. Returns why some could not be, by their folders. Raises
    `Problem`."""
    for folder in dict.fromkeys(entry.folder.parent for entry in entries):
        require_writable(folder)
    batch = Batch(request, _open(request, settings, console), is_kept)
    with FolderProgress(len(entries), console) as progress:
        for result in explain_batch(batch, entries):
            if isinstance(result, FailedPicture):
                progress.add_failed(result.entry, result.problem)
            elif isinstance(result, ExplainedPicture):
                progress.add_explained(result.entry, result.record)
            else:
                progress.add_skipped(result.entry)
    progress.print_summary()
    return progress.problems


def is_kept(entry: ImageFile, mark: str) -> bool:
    """Whether a picture's results are there already."""
    return ResultFolder(entry.folder).holds(mark)


def explain_batch(
    batch: Batch, entries: Iterable[ImageFile]
) -> Iterator[ExplainedPicture | SkippedPicture | FailedPicture]:
    """Yields the result of each picture once it is written. Threads write while the next pictures are computed."""
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="writer") as writers:
        yield from ahead(writers, write_picture, batch.explain(entries), batch.window)


def write_picture(
    result: ExplainedPicture | SkippedPicture | FailedPicture,
) -> ExplainedPicture | SkippedPicture | FailedPicture:
    """Write a picture's result into its folder."""
    if isinstance(result, ExplainedPicture):
        try:
            record = with_file_names(result.record)
            ResultFolder(result.entry.folder).write(files(record, result.read, titles()))
        except Exception as error:
            return FailedPicture(result.entry, as_problem(error))
    return result


def _open(job: Explain, settings: Settings, console: Console) -> Context:
    """A context with the weights of the job's models; missing ones are downloaded if possible."""
    keep_freed_memory()
    context = Context.open(settings, READERS)
    context.decoders.warm()
    fetch_all(context.zoo, job.models, settings, console)
    return context


def _update_bars(event: Event, console: Console, panels: PanelBars) -> Explanation | None:
    if isinstance(event, AcceptedEvent):
        panels.accept((panel.id, panel.method, panel.cost) for panel in event.panels)
    elif isinstance(event, PredictionEvent):
        best = event.predictions[0]
        console.print(f"{event.model}: {best.label} ({best.probability:.2f})", highlight=False, markup=False)
        for note in event.input.notes:
            console.print(f"{event.model}: {note.detail}", highlight=False, markup=False)
    elif isinstance(event, ProgressEvent):
        panels.advance(event.panel, event.metric, event.done, event.total)
    elif isinstance(event, PanelEvent) and event.panel.status == "done":
        panels.finish(event.panel.id)
    return event.record if isinstance(event, DoneEvent) else None


def _write(record: Explanation, store: AnyStore, folder: Path) -> None:
    for name, data in files(with_file_names(record), part_reader(store, record.id), titles()):
        write_file(folder / name, data)


def _print_summary(record: Explanation, folder: Path, console: Console) -> None:
    for line in (*refusals(record), *notes(record)):
        console.print(line, highlight=False, markup=False)
    for panel in record.panels:
        for metric, measured in panel.metrics.items():
            lines = [finding.detail for finding in measured.findings]
            lines = lines or [measured.problem.detail if measured.problem else measured.status]
            for line in lines:
                console.print(f"{panel.method}, {metric}: {line}", highlight=False, markup=False)
    done = sum(panel.status == "done" for panel in record.panels)
    console.print(
        f"{done} of {len(record.panels)} maps in {record.seconds:.1f} s: {folder}/", highlight=False, markup=False
    )
