"""Runs explanations from a shell: the pipeline in this process, with progress bars, results written into folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..attribution.memory import keep_freed
from ..attribution.methods.base import methods
from ..contract.jobs import Event, Explain
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


def explain_one(job: Explain, settings: Settings, folder: Path, console: Console) -> dict[str, Any]:
    """Run a job and write its results into `folder`. Returns the record. Raises `Problem`."""
    context = _open(job, settings, console)
    bars = Progress(
        TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    record: dict[str, Any] = {}
    with bars:
        tasks: dict[Any, Any] = {}
        for event in run(job, context):
            if event is not None:
                record = _update_bars(event, bars, tasks) or record
    _write(record, context.store, folder)
    _print_summary(record, folder, console)
    return record


def explain_many(entries: Sequence[ImageFile], request: Explain, settings: Settings, console: Console) -> bool:
    """Explain many pictures, each into its folder. Returns whether all could be explained. Raises `Problem`."""
    batch = Batch(
        request, _open(request, settings, console), lambda entry, mark: read_request_mark(entry.folder) == mark
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
    """Yields the result of each picture once it is written. Threads write while the next pictures are computed."""
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="writer") as writers:
        yield from ahead(writers, write_picture, batch.explain(entries), batch.window)


def write_picture(
    result: ExplainedPicture | SkippedPicture | FailedPicture,
) -> ExplainedPicture | SkippedPicture | FailedPicture:
    """Write a picture's result into its folder."""
    if isinstance(result, ExplainedPicture):
        try:
            write_explanation(result.entry.folder, files(result.record, result.read, titles()))
        except Exception as error:
            return FailedPicture(result.entry, as_problem(error))
    return result


def titles() -> dict[str, str]:
    """The methods' titles by id, for captions."""
    return {id: method.title for id, method in methods().items()}


def _open(job: Explain, settings: Settings, console: Console) -> Context:
    """A context with the weights of the job's models; missing ones are downloaded if possible."""
    keep_freed()
    context = Context.open(settings, READERS)
    context.decoders.warm()
    fetch_all(context.zoo, job.models, settings, console)
    return context


def fetch_all(zoo: Zoo, models: Iterable[str], settings: Settings, console: Console | None = None) -> None:
    """Download the missing weights of models. Raises `Problem`."""
    for model in models:
        if zoo.weights.availability(zoo.recipe(model).weights) == "downloadable":
            fetch(zoo, model, settings, console or Console(stderr=True))


def _update_bars(event: Event, bars: Progress, tasks: dict[Any, Any]) -> dict[str, Any] | None:
    data = event.data
    if event.name == "accepted":
        for panel in data["panels"]:
            tasks[panel["id"]] = bars.add_task(panel["method"], total=panel["cost"])
    elif event.name == "prediction":
        best = data["predictions"][0]
        bars.console.print(f"{data['model']}: {best['label']} ({best['probability']:.2f})", highlight=False)
    elif event.name == "progress":
        panel, metric = data["panel"], data.get("metric")
        if metric and (panel, metric) not in tasks:
            tasks[panel, metric] = bars.add_task(f"  {metric} of {panel}", total=data["total"])
        bars.update(tasks[(panel, metric) if metric else panel], completed=data["done"], total=data["total"])
    return data if event.name == "done" else None


def _write(record: dict[str, Any], store: AnyStore, folder: Path) -> None:
    for name, data in files(record, lambda part: store.read(record["id"], part), titles()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _print_summary(record: dict[str, Any], folder: Path, console: Console) -> None:
    for line in refusals(record):
        console.print(line, highlight=False, markup=False)
    for panel in record["panels"]:
        for metric, measured in panel["metrics"].items():
            lines = [finding["detail"] for finding in measured["findings"]]
            lines = lines or [measured["problem"]["detail"] if measured["problem"] else measured["status"]]
            for line in lines:
                console.print(f"{panel['method']}, {metric}: {line}", highlight=False, markup=False)
    done = sum(panel["status"] == "done" for panel in record["panels"])
    console.print(f"{done} of {len(record['panels'])} maps in {record['seconds']:.1f} s: {folder}/", highlight=False)
