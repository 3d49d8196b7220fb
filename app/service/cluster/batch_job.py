"""Jobs of the batch command on the cluster: some pictures of a folder, computed by a replica beside other jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...contract.events import Event, ResultEvent
from ...contract.jobs import Explain, Job
from ...contract.problem_body import ProblemBody
from ...contract.problems import Problem
from ...contract.records import FolderRecord
from ...contract.wire import WireModel
from ...images.image_files import ImageFile

if TYPE_CHECKING:  # a process that only sends jobs need not import PyTorch
    from ...pipeline.batch import Batch, ExplainedPicture
    from ...pipeline.context import Context

Run = Generator[Event | None, None, None]  # as in `pipeline.turns`, which imports PyTorch


@dataclass(frozen=True)
class CheckBatch:
    """Checks that a request is valid. The result is a `BatchAnswer`."""

    request: Explain


class BatchAnswer(WireModel):
    """That the request is valid. `about`: what determines the result beside the picture; `chunk_size`: pictures that
    are computed together."""

    about: tuple[Any, ...]
    chunk_size: int


class PictureDoneEvent(Event):
    """A picture is explained: its record, and all its files as (name, bytes)."""

    name = "picture_done"
    index: int
    record: FolderRecord
    files: list[tuple[str, bytes]]


class PictureFailedEvent(Event):
    """A picture could not be explained."""

    name = "picture_failed"
    index: int
    problem: ProblemBody


class BatchDoneEvent(Event):
    """All pictures have had their event."""

    name = "done"
    final = True


@dataclass(frozen=True)
class BatchJob:
    """Pictures (path, bytes) to explain by one request. The events, `picture_done` or `picture_failed`, name a
    picture by its index."""

    request: Explain
    pictures: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class ReceivedPicture(ImageFile):
    """A picture whose bytes came with the job."""

    data: bytes

    def read(self) -> bytes:
        return self.data


def run(job: Job | CheckBatch | BatchJob, context: Context) -> Run:
    """Start a job on a replica. Raises `Problem`."""
    from ...pipeline.pipeline import run

    if isinstance(job, CheckBatch):
        return check_batch(job, context)
    if isinstance(job, BatchJob):
        return explain_pictures(job, context)
    return run(job, context)


def check_batch(job: CheckBatch, context: Context) -> Run:
    from ...pipeline.batch import Batch

    batch = Batch(job.request, context, is_kept=_never)
    yield ResultEvent(result=BatchAnswer(about=batch.about, chunk_size=batch.chunk_size))


def explain_pictures(job: BatchJob, context: Context) -> Run:
    """Sends `picture_done` with the record and all files of each finished picture, or `picture_failed` with a
    problem; then `done`."""
    from ...pipeline.batch import Batch
    from ...pipeline.turns import reserve_models

    batch = Batch(job.request, context, is_kept=_never)
    if len(context.zoo.groups(batch.models)) > 1:  # the models do not fit into memory together
        yield from _explain(job, batch)
    else:
        with (yield from reserve_models(context.zoo, list(batch.models))):
            yield from _explain(job, batch)
    yield BatchDoneEvent()


def _never(entry: ImageFile, mark: str) -> bool:
    """No picture has results already: the sender has left those out."""
    return False


def _explain(job: BatchJob, batch: Batch) -> Run:
    """A picture's files are made (maps are drawn) in a thread, while the next pictures are computed."""
    from ...pipeline.batch import ExplainedPicture, FailedPicture

    drawing: deque[Future[Event]] = deque()
    # a picture's result folder is named by its index: so the events know it
    pictures = [ReceivedPicture(Path(name), Path(str(index)), data) for index, (name, data) in enumerate(job.pictures)]
    with ThreadPoolExecutor(1, thread_name_prefix="drawer") as drawer:
        for result in batch.turns(pictures):
            if isinstance(result, ExplainedPicture):
                drawing.append(drawer.submit(_done_event, result))
            elif isinstance(result, FailedPicture):
                yield _failed_event(result.entry, result.problem)
            while drawing and drawing[0].done():
                yield drawing.popleft().result()
            yield None
        while drawing:
            yield drawing.popleft().result()


def _done_event(picture: ExplainedPicture) -> Event:
    from ...pipeline.archive import files, with_file_names
    from ...pipeline.catalogue import titles
    from ...pipeline.problems import as_problem

    try:
        written = list(files(with_file_names(picture.record), picture.read, titles()))
    except Exception as error:
        return _failed_event(picture.entry, as_problem(error))
    return PictureDoneEvent(index=int(picture.entry.folder.name), record=picture.record, files=written)


def _failed_event(entry: ImageFile, problem: Problem) -> Event:
    return PictureFailedEvent(index=int(entry.folder.name), problem=problem.body())
