"""Many pictures with one question, spread over the replicas; what comes back is written here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError
from rich.console import Console

from ..contract.events import ErrorEvent, Event, ResultEvent
from ..contract.jobs import Explain
from ..contract.problems import ComputationFailed, Problem, problem_from_body
from ..images.image_files import ImageFile
from ..pipeline.resume import ResultFolder, picture_mark
from ..service.cluster.batch_job import BatchJob, DoneInquiry, FaultEvent, Plan, WholeEvent
from ..service.quarantine import KILLER
from ..settings import Settings
from ..web.cluster_app import ClusterConnection
from .progress import FolderProgress

log = logging.getLogger(__name__)
SPARE = 1  # trays under way beyond two for each replica: Serve starts more replicas where requests wait
PAUSE_SECONDS = 1.0  # before a tray is sent again that found no place


class ClusterBatch:
    """One question about many pictures, and the replicas that answer it."""

    def __init__(self, question: Explain, handle: Any, settings: Settings, tally: FolderProgress) -> None:
        self._question, self._settings, self._tally = question, settings, tally
        self._handle = handle.options(
            method_name="run", stream=True, multiplexed_model_id=(question.models or (settings.default_model,))[0]
        )
        self._about: tuple[Any, ...] = ()

    async def explain(self, entries: Sequence[ImageFile]) -> None:
        """All of them. Raises `Problem` where the question itself is wrong."""
        told = await self._inquire()
        self._about, size = told.about, told.tray
        async with asyncio.TaskGroup() as group:
            under_way: set[asyncio.Task[None]] = set()
            for start in range(0, len(entries), size):
                under_way.add(group.create_task(self._settle(entries[start : start + size])))
                while len(under_way) >= 2 * await self._replicas() + SPARE:
                    _, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)

    async def _inquire(self) -> Plan:
        async for kind, event in self._handle.remote(DoneInquiry(self._question), "", "", self._settings.deadline):
            if kind == "event" and isinstance(event, ErrorEvent):
                raise problem_from_body(event.problem)
            if kind == "event" and isinstance(event, ResultEvent) and isinstance(event.result, Plan):
                return event.result
        raise AssertionError("a run's last event is final")

    async def _replicas(self) -> int:
        answers = await self._handle.broadcast("tell", {}).results_async(timeout_s=10, return_exceptions=True)
        return max(1, sum(not isinstance(answer, BaseException) for answer in answers))

    async def _settle(self, entries: Sequence[ImageFile]) -> None:
        """A tray: what is there is kept, the rest computed; one by one, what a replica took along when it died."""
        left = await asyncio.to_thread(lambda: dict(self._read(entries)))
        if not left or await self._send(left):
            return
        log.error("a replica died; %d pictures are tried again, one by one", len(left))
        for entry, data in list(left.items()):
            if not (await self._send({entry: data}) or await self._send({entry: data})):
                self._tally.fault(entry, ComputationFailed(KILLER))

    def _read(self, entries: Sequence[ImageFile]) -> Iterator[tuple[ImageFile, bytes]]:
        """Pictures to compute."""
        for entry in entries:
            try:
                data = entry.read()
            except OSError as error:
                self._tally.fault(entry, Problem(error.strerror or str(error)))
                continue
            if ResultFolder(entry.folder).holds(picture_mark(data, self._about)):
                self._tally.kept(entry)
            else:
                yield entry, data

    async def _send(self, left: dict[ImageFile, bytes]) -> bool:
        """Have pictures computed; those that are settled leave `left`. False where the replica died."""
        entries = list(left)
        tray = BatchJob(self._question, tuple((str(entry.path), left[entry]) for entry in entries))
        while True:
            response = self._handle.remote(tray, "", "", self._settings.deadline * len(entries))
            try:
                async for kind, event in response:
                    if kind == "event":
                        await self._take(event, entries, left)
                return True
            except BackPressureError:
                await asyncio.sleep(PAUSE_SECONDS)
            except RayActorError:
                return False
            except BaseException:
                response.cancel()
                raise

    async def _take(self, event: Event, entries: list[ImageFile], left: dict[ImageFile, bytes]) -> None:
        """An event of a tray."""
        if isinstance(event, ErrorEvent):  # the tray as a whole
            for entry in list(left):
                del left[entry]
                self._tally.fault(entry, problem_from_body(event.problem))
        elif isinstance(event, WholeEvent | FaultEvent):
            entry = entries[event.place]
            del left[entry]
            if isinstance(event, FaultEvent):
                self._tally.fault(entry, problem_from_body(event.problem))
                return
            try:
                await asyncio.to_thread(ResultFolder(entry.folder).write, event.files)
                self._tally.done(entry, event.record)
            except Problem as problem:
                self._tally.fault(entry, problem)


def explain_on_cluster(
    entries: Sequence[ImageFile], question: Explain, settings: Settings, address: str, console: Console
) -> bool:
    """Explain many pictures on a cluster, each into its folder here. Whether all could be; raises `Problem`."""
    cluster = ClusterConnection(settings, address)

    async def spread(tally: FolderProgress) -> None:
        await ClusterBatch(question, await cluster.connect(), settings, tally).explain(entries)

    try:
        with FolderProgress(len(entries), console) as tally:
            try:
                asyncio.run(spread(tally))
            except* Problem as group:
                raise group.exceptions[0] from None
        tally.tell()
    finally:
        cluster.leave()
    return not tally.faults
