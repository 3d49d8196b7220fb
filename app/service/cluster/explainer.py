"""The deployment that computes: each replica holds the models and runs the same worker as a single machine does."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ...contract.catalogue import Catalogue
from ...contract.events import ErrorEvent
from ...contract.jobs import Explain, Job, Measure, Refresh
from ...contract.problems import NotFound, Problem, Unavailable
from ...contract.records import Ending
from ...contract.wire import JsonObject
from ...contract.workers import ReplicaState, WorkerCounters
from ...settings import Settings
from ...zoo.paths import hide_paths
from .. import logs
from ..base_executor import deadline_passed
from ..event_queue import EventQueue
from ..telemetry import resident_bytes
from ..threads import share_cores
from .batch_job import BatchJob, run
from .transport import Transport

log = logging.getLogger(__name__)
MAX_UNANSWERED_CHECKS = 30  # after so many the worker hangs; Serve checks every ten seconds
LEEWAY_SECONDS = 5  # after the deadline, which a caller watches itself: this limit is for callers that are gone
NO_COUNTERS = WorkerCounters(micro_batches=0, gradient_evaluations=0, models=0, model_bytes=0, loaded=())
Message = tuple[str, Any]


@dataclass
class _Running:
    job: Job | BatchJob
    queue: EventQueue = field(default_factory=EventQueue)


class Explainer:
    """A replica: one thread computes all running jobs in turns, the event loop passes the events on.

    If a caller leaves, Serve cancels its `run`: that ends the computation after the current micro-batch. `name` is for
    a replica inside another process, as in tests; on a cluster a replica has a process of its own, and Ray names it.
    """

    async def __init__(self, settings: JsonObject, name: str = "") -> None:  # type: ignore[misc]
        share_cores()
        self._name = name or _replica_id()
        self._settings = Settings(**settings)
        logs.configure(self._settings.log_format, "replica")
        if not name:  # a process of its own: all its messages may name settings instead of folders
            hide_paths(self._settings)
        self._running: dict[int, _Running] = {}
        self._numbers = itertools.count()
        self._catalogue: Catalogue | None = None
        self._catalogue_version = 0
        self._counters = NO_COUNTERS
        self._unanswered_checks = 0
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._transport = Transport(self._on_message)
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._thread.start()
        await self._ready

    async def run(
        self, job: Job | BatchJob, client: str, request: str, seconds: float
    ) -> AsyncGenerator[Message, None]:
        """Yields the events of a job as `("event", Event)`, and before the last one `("report", …)` with a report.

        `client` names the client, for fair turns; `request` is the request id. After `seconds` and some leeway it ends
        in any case.
        """
        number, version = next(self._numbers), self._catalogue_version
        queue = (running := _Running(job)).queue
        self._running[number] = running
        deadline_timer = self._loop.call_later(
            seconds + LEEWAY_SECONDS, self._fail, number, deadline_passed(self._settings.deadline)
        )
        self._transport.post("run", number, job, client, request)
        try:
            while True:
                event = await queue.get()
                if event.final:  # first: a client that asks again after the answer sees the new state
                    yield "report", self._report(version)
                yield "event", event
                if event.final:
                    return
        finally:
            deadline_timer.cancel()
            del self._running[number]
            self._transport.post("cancel", number)

    async def report(self, known: dict[str, int]) -> ReplicaState:
        """What this replica has computed and holds in memory; with its catalogue if the caller's version is old.

        `known`: the version of the catalogue that the caller has, by replica.
        """
        return self._report(known.get(self._name))

    def _report(self, version: int | None = None) -> ReplicaState:
        """See `report`."""
        catalogue = None if version == self._catalogue_version else self._catalogue
        return {
            "replica": self._name,
            "process": os.getpid(),
            "running": len(self._running),
            "counters": {**self._counters, "resident": resident_bytes(os.getpid())},
            "catalogue_version": self._catalogue_version,
            "catalogue": catalogue,
        }

    async def refresh(self) -> ReplicaState:
        """Read cards and weights again. Returns a report."""
        async for _ in self.run(Refresh(), "", "", self._settings.deadline):
            pass
        return self._report()

    async def forget(self, explanation: str) -> None:
        """An explanation was deleted: drop cached pictures, and stop computing it."""
        for number in self._numbers_of(explanation):
            self._fail(number, NotFound("This explanation was deleted while it was being computed."))
        self._transport.post("forget", explanation)

    async def record_end(self, explanation: str, ending: Ending) -> None:
        """Stop computing an explanation, and write into its record how it ended."""
        for number in self._numbers_of(explanation):
            self._transport.post("cancel", number)
        self._transport.post("record_end", explanation, ending)

    def record_routing_stats(self) -> dict[str, list[str]]:
        """The models in memory, for `ModelAwareRouter`."""
        return {"models": list(self._counters["loaded"])}

    def check_health(self) -> None:
        """Raises if the worker has ended or hangs: Serve then starts another replica."""
        if not self._thread.is_alive():
            raise RuntimeError("the worker has ended")
        if self._unanswered_checks > MAX_UNANSWERED_CHECKS:
            raise RuntimeError("the worker hangs")
        self._unanswered_checks += 1
        self._transport.post("ping")

    def stop(self) -> None:
        """End the worker. Its jobs are done, or nobody waits for them any more."""
        with suppress(AttributeError):  # `__init__` failed before there was a transport
            self._transport.post("stop")

    __del__ = stop

    def _numbers_of(self, explanation: str) -> list[int]:
        return [n for n, r in self._running.items() if isinstance(r.job, Explain | Measure) and r.job.id == explanation]

    def _fail(self, number: int, problem: Problem) -> None:
        self._transport.post("cancel", number)
        if running := self._running.get(number):
            running.queue.put(ErrorEvent(problem=problem.body()))

    def _work(self) -> None:
        """The worker's thread."""
        try:
            from ..worker import Worker

            worker = Worker(self._transport, self._settings, run)
        except Exception as error:
            log.exception("the worker cannot start")
            self._on_message(("failed", f"{type(error).__name__}: {error}"))
            return
        with suppress(EOFError):  # it was stopped
            worker.serve()

    def _on_message(self, message: tuple[Any, ...]) -> None:
        """Takes a message of the worker, in the worker's thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._receive, message)

    def _receive(self, message: tuple[Any, ...]) -> None:
        self._unanswered_checks = 0
        kind = message[0]
        if kind == "event":
            if running := self._running.get(message[1]):
                running.queue.put(message[2])
        elif kind == "counters":
            self._counters = message[1]
        elif kind == "failed":
            self._ready.set_exception(Unavailable(f"The worker cannot start: {message[1]}"))
        elif kind in ("ready", "catalogue"):
            # Labels stay here, and are asked for where they are wanted: a report of over 100 KB goes through Ray's
            # object store, and Ray 2.60 ends the process that awaits a broadcast's answer from there.
            self._catalogue = message[1].model_copy(update={"labels": {}})
            self._catalogue_version += 1
            if not self._ready.done():
                self._ready.set_result(None)


def _replica_id() -> str:
    from ray import serve

    return str(serve.get_replica_context().replica_id.unique_id)
