"""The deployment that computes: each replica holds the models, and is a worker as the one of a single machine is."""

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
from ...contract.workers import Effort, ReplicaState
from ...settings import Settings
from .. import logs
from ..base_executor import too_late
from ..event_queue import EventQueue
from ..telemetry import resident
from ..threads import share_cores
from .batch_job import BatchJob, run
from .transport import Transport

log = logging.getLogger(__name__)
SILENT_CHECKS = 30  # unanswered, after which the worker hangs; Serve checks every ten seconds
LEEWAY_SECONDS = 5  # beyond the deadline, which whoever asks watches: here it counts where that one has gone
NO_EFFORT = Effort(micro_batches=0, gradient_evaluations=0, models=0, model_bytes=0, loaded=())
Told = tuple[str, Any]


@dataclass
class _Running:
    job: Job | BatchJob
    mailbox: EventQueue = field(default_factory=EventQueue)


class Explainer:
    """A replica: one thread computes and lets all that runs take turns, the event loop carries the events.

    Where a caller leaves, Serve cancels its `run`: that ends the computation at the end of its micro-batch.
    """

    async def __init__(self, settings: JsonObject, name: str = "") -> None:  # type: ignore[misc]
        share_cores()
        self._name = name or _own_name()
        self._settings = Settings(**settings)
        logs.configure(self._settings.log_format, "replica")
        self._running: dict[int, _Running] = {}
        self._numbers = itertools.count()
        self._catalogue: Catalogue | None = None
        self._edition = 0  # of the catalogue
        self._effort = NO_EFFORT
        self._silent = 0
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._line = Transport(self._hear)
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._thread.start()
        await self._ready

    async def run(self, job: Job | BatchJob, client: str, request: str, seconds: float) -> AsyncGenerator[Told, None]:
        """The events of a job as `("event", Event)`; before the last one what `tell` tells, as `("tell", …)`.

        `client` and `request` as in `Executor.submit`. After `seconds` and some leeway it ends in any case.
        """
        number, edition = next(self._numbers), self._edition
        mailbox = (running := _Running(job)).mailbox
        self._running[number] = running
        alarm = self._loop.call_later(
            seconds + LEEWAY_SECONDS, self._break_off, number, too_late(self._settings.deadline)
        )
        self._line.post("run", number, job, client, request)
        try:
            while True:
                event = await mailbox.get()
                if event.final:  # first: whoever asks again after the answer sees what came of it
                    yield "tell", self.tells(edition)
                yield "event", event
                if event.final:
                    return
        finally:
            alarm.cancel()
            del self._running[number]
            self._line.post("cancel", number)

    async def tell(self, known: dict[str, int]) -> ReplicaState:
        """What this replica has computed and what is in its memory; its catalogue where the edition `known` is old."""
        return self.tells(known.get(self._name))

    def tells(self, edition: int | None = None) -> ReplicaState:
        """See `tell`."""
        catalogue = None if edition == self._edition else self._catalogue
        return {
            "replica": self._name,
            "process": os.getpid(),
            "running": len(self._running),
            "effort": {**self._effort, "resident": resident(os.getpid())},
            "edition": self._edition,
            "catalogue": catalogue,
        }

    async def refresh(self) -> ReplicaState:
        """Look again at cards and weights. What `tell` tells."""
        async for _ in self.run(Refresh(), "", "", self._settings.deadline):
            pass
        return self.tells()

    async def forget(self, explanation: str) -> None:
        """An explanation was deleted: let go of what is remembered of pictures, and end what still computes it."""
        for number in self._of(explanation):
            self._break_off(number, NotFound("This explanation was deleted while it was being computed."))
        self._line.post("forget", explanation)

    async def conclude(self, explanation: str, end: Ending) -> None:
        """End what computes an explanation, and note what has become of it."""
        for number in self._of(explanation):
            self._line.post("cancel", number)
        self._line.post("mark", explanation, end)

    def record_routing_stats(self) -> dict[str, list[str]]:
        """For `ByModel`."""
        return {"models": list(self._effort["loaded"])}

    def check_health(self) -> None:
        """Raises where the worker has ended or hangs: Serve starts another replica then."""
        if not self._thread.is_alive():
            raise RuntimeError("the worker has ended")
        if self._silent > SILENT_CHECKS:
            raise RuntimeError("the worker hangs")
        self._silent += 1
        self._line.post("ping")

    def stop(self) -> None:
        """End the worker, which is in the middle of nothing or does not matter any more."""
        with suppress(AttributeError):  # it has not begun
            self._line.post("stop")

    __del__ = stop

    def _of(self, explanation: str) -> list[int]:
        return [n for n, r in self._running.items() if isinstance(r.job, Explain | Measure) and r.job.id == explanation]

    def _break_off(self, number: int, problem: Problem) -> None:
        self._line.post("cancel", number)
        if running := self._running.get(number):
            running.mailbox.put(ErrorEvent(problem=problem.body()))

    def _work(self) -> None:
        """The worker's thread."""
        try:
            from ..worker import Worker

            worker = Worker(self._line, self._settings, run)
        except Exception as error:
            log.exception("the worker cannot start")
            self._hear(("failed", f"{type(error).__name__}: {error}"))
            return
        with suppress(EOFError):  # it is told to stop
            worker.serve()

    def _hear(self, message: tuple[Any, ...]) -> None:
        """What the worker says, in its thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._receive, message)

    def _receive(self, message: tuple[Any, ...]) -> None:
        self._silent = 0
        kind = message[0]
        if kind == "event":
            if running := self._running.get(message[1]):
                running.mailbox.put(message[2])
        elif kind == "effort":
            self._effort = message[1]
        elif kind == "failed":
            self._ready.set_exception(Unavailable(f"The worker cannot start: {message[1]}"))
        elif kind in ("ready", "catalogue"):
            self._catalogue = message[1]
            self._edition += 1
            if not self._ready.done():
                self._ready.set_result(None)


def _own_name() -> str:
    from ray import serve

    return str(serve.get_replica_context().replica_id.unique_id)
