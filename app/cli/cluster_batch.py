"""Explains many pictures on the replicas of a cluster; the results are written on this machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError
from rich.console import Console

from ..contract.events import ErrorEvent, Event, ResultEvent
from ..contract.jobs import Explain
from ..contract.problems import ComputationFailed, Problem, problem_from_body
from ..images.image_files import ImageFile
from ..pipeline.resume import ResultFolder, picture_mark
from ..service.cluster.batch_job import BatchAnswer, BatchJob, CheckBatch, PictureDoneEvent, PictureFailedEvent
from ..service.quarantine import WORKER_DIED
from ..settings import Settings
from ..web.cluster_app import ClusterConnection
from .progress import FolderProgress

log = logging.getLogger(__name__)
EXTRA_JOBS = 1  # jobs in flight beyond two for each replica: Serve starts more replicas if requests wait
PAUSE_SECONDS = 1.0  # before a job that was refused is sent again


class ClusterBatch:
    """One request for many pictures, computed by the replicas."""

    def __init__(self, request: Explain, handle: Any, settings: Settings, progress: FolderProgress) -> None:
        self._request, self._settings, self._progress = request, settings, progress
        self._handle = handle.options(
            method_name="run", stream=True, multiplexed_model_id=(request.models or (settings.default_model,))[0]
        )
        self._about: tuple[Any, ...] = ()  # what determines a result beside the picture

    async def explain(self, entries: Sequence[ImageFile]) -> None:
        """Explain all pictures. Raises `Problem` if the request itself is wrong."""
        batch = await self._check_request()
        self._about, size = batch.about, batch.chunk_size
        async with asyncio.TaskGroup() as group:
            in_flight: set[asyncio.Task[None]] = set()
            for start in range(0, len(entries), size):
                in_flight.add(group.create_task(self._explain_some(entries[start : start + size])))
                while len(in_flight) >= 2 * await self._replicas() + EXTRA_JOBS:
                    _, in_flight = await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)

    async def _check_request(self) -> BatchAnswer:
        # no client and no request id: the run is nobody's HTTP request
        async for kind, event in self._handle.remote(CheckBatch(self._request), "", "", self._settings.deadline):
            if kind == "event" and isinstance(event, ErrorEvent):
                raise problem_from_body(event.problem)
            if kind == "event" and isinstance(event, ResultEvent) and isinstance(event.result, BatchAnswer):
                return event.result
        raise AssertionError("a run's last event is final")

    async def _replicas(self) -> int:
        answers = await self._handle.broadcast("report", {}).results_async(timeout_s=10, return_exceptions=True)
        return max(1, sum(not isinstance(answer, BaseException) for answer in answers))

    async def _explain_some(self, entries: Sequence[ImageFile]) -> None:
        """Explain some pictures: those with results are skipped. If a replica dies, its pictures are retried one by
        one."""
        left = await asyncio.to_thread(lambda: dict(self._read_missing(entries)))
        if not left or await self._compute(left):
            return
        log.error("a replica died; %d pictures are tried again, one by one", len(left))
        for entry, data in list(left.items()):
            if not (await self._compute({entry: data}) or await self._compute({entry: data})):
                self._progress.add_failed(entry, ComputationFailed(WORKER_DIED))

    def _read_missing(self, entries: Sequence[ImageFile]) -> Iterator[tuple[ImageFile, bytes]]:
        """Read the pictures that have no results yet."""
        for entry in entries:
            try:
                data = entry.read()
            except OSError as error:
                self._progress.add_failed(entry, Problem(error.strerror or str(error)))
                continue
            if ResultFolder(entry.folder).holds(picture_mark(data, self._about)):
                self._progress.add_skipped(entry)
            else:
                yield entry, data

    async def _compute(self, left: dict[ImageFile, bytes]) -> bool:
        """Send pictures to a replica; finished ones are removed from `left`. False if the replica died."""
        entries = list(left)
        job = BatchJob(self._request, tuple((str(entry.path), left[entry]) for entry in entries))
        while True:
            response = self._handle.remote(job, "", "", self._settings.deadline * len(entries))
            try:
                async for kind, event in response:
                    if kind == "event":
                        await self._handle_event(event, entries, left)
                return True
            except BackPressureError:
                await asyncio.sleep(PAUSE_SECONDS)
            except RayActorError:
                return False
            except BaseException:
                response.cancel()
                raise

    async def _handle_event(self, event: Event, entries: list[ImageFile], left: dict[ImageFile, bytes]) -> None:
        """Handle an event of a batch job."""
        if isinstance(event, ErrorEvent):  # of the whole job
            for entry in list(left):
                del left[entry]
                self._progress.add_failed(entry, problem_from_body(event.problem))
        elif isinstance(event, PictureDoneEvent | PictureFailedEvent):
            entry = entries[event.index]
            del left[entry]
            if isinstance(event, PictureFailedEvent):
                self._progress.add_failed(entry, problem_from_body(event.problem))
                return
            try:
                await asyncio.to_thread(ResultFolder(entry.folder).write, event.files)
                self._progress.add_explained(entry, event.record)
            except Problem as problem:
                self._progress.add_failed(entry, problem)


def explain_on_cluster(
    entries: Sequence[ImageFile], request: Explain, settings: Settings, address: str, console: Console
) -> dict[Path, Problem]:
    """Explain many pictures on a cluster, each into its folder on this machine.

    Returns why some could not be explained, by their folders. Raises `Problem`.
    """
    cluster = ClusterConnection(settings, address)

    async def run_batch(progress: FolderProgress) -> None:
        await ClusterBatch(request, await cluster.connect(), settings, progress).explain(entries)

    try:
        with FolderProgress(len(entries), console) as progress:
            try:
                asyncio.run(run_batch(progress))
            except* Problem as group:
                raise group.exceptions[0] from None
        progress.print_summary()
    finally:
        cluster.leave()
    return progress.problems
