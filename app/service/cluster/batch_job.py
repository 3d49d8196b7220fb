"""A few pictures of a folder with one question, as a run that a replica computes beside others."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...contract.events import Event, ResultEvent
from ...contract.jobs import Explain, Job
from ...contract.problems import Problem, ProblemBody
from ...contract.records import FolderRecord
from ...contract.wire import WireModel
from ...images.image_files import ImageFile

if TYPE_CHECKING:  # whoever only asks need not import PyTorch
    from ...pipeline.batch import Batch, ExplainedPicture
    from ...pipeline.context import Context

Run = Generator[Event | None, None, None]


@dataclass(frozen=True)
class DoneInquiry:
    """Whether a question can be asked. The result is a `Plan`."""

    question: Explain


class Plan(WireModel):
    """`about` determines, beside the picture, what comes of it; `tray` pictures are computed side by side."""

    about: tuple[Any, ...]
    tray: int


class WholeEvent(Event):
    """A picture is explained: its record, and all its files as (name, bytes)."""

    name = "whole"
    place: int
    record: FolderRecord
    files: list[tuple[str, bytes]]


class FaultEvent(Event):
    """A picture could not be explained."""

    name = "fault"
    place: int
    problem: ProblemBody


class AllEvent(Event):
    """All pictures have had their event."""

    name = "done"
    final = True


@dataclass(frozen=True)
class BatchJob:
    """Pictures with one question: (path, bytes). Their events, `whole` or `fault`, name them by their place."""

    question: Explain
    pictures: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class ReceivedPicture(ImageFile):
    """A picture that came with the question."""

    data: bytes

    def read(self) -> bytes:
        return self.data


def run(job: Job | DoneInquiry | BatchJob, context: Context) -> Run:
    """The run of whatever a replica is asked. Raises `Problem`."""
    from ...pipeline.pipeline import run

    if isinstance(job, DoneInquiry):
        return inquire(job, context)
    if isinstance(job, BatchJob):
        return explain(job, context)
    return run(job, context)


def inquire(job: DoneInquiry, context: Context) -> Run:
    from ...pipeline.batch import Batch

    batch = Batch(job.question, context, lambda entry, mark: False)
    yield ResultEvent(result=Plan(about=batch.about, tray=batch.tray))


def explain(job: BatchJob, context: Context) -> Run:
    """`whole` with the record and all files of each picture as it is done, or `fault` with the problem; then `done`."""
    from ...pipeline.batch import Batch
    from ...pipeline.turns import reserve_models

    batch = Batch(job.question, context, lambda entry, mark: False)
    if len(context.zoo.groups(batch.models)) > 1:  # they take turns in memory
        yield from _explain(job, batch)
    else:
        with (yield from reserve_models(context.zoo, list(batch.models))):
            yield from _explain(job, batch)
    yield AllEvent()


def _explain(job: BatchJob, batch: Batch) -> Run:
    """Drawing goes on in a thread behind the computing."""
    from ...pipeline.batch import ExplainedPicture, FailedPicture

    drawn: deque[Future[Event]] = deque()
    entries = [ReceivedPicture(Path(name), Path(str(place)), data) for place, (name, data) in enumerate(job.pictures)]
    with ThreadPoolExecutor(1, thread_name_prefix="drawer") as drawer:
        for result in batch.turns(entries):
            if isinstance(result, ExplainedPicture):
                drawn.append(drawer.submit(_whole, result))
            elif isinstance(result, FailedPicture):
                yield _fault(result.entry, result.problem)
            while drawn and drawn[0].done():
                yield drawn.popleft().result()
            yield None
        while drawn:
            yield drawn.popleft().result()


def _whole(shot: ExplainedPicture) -> Event:
    from ...pipeline.archive import files
    from ...pipeline.catalogue import titles
    from ...pipeline.problems import as_problem

    try:
        written = list(files(shot.record, shot.read, titles()))
    except Exception as error:
        return _fault(shot.entry, as_problem(error))
    return WholeEvent(place=int(shot.entry.folder.name), record=shot.record, files=written)


def _fault(entry: ImageFile, problem: Problem) -> Event:
    return FaultEvent(place=int(entry.folder.name), problem=problem.body())
