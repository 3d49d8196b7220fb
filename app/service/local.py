"""Computing in one worker process on this machine."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import multiprocessing
import queue
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from typing import Any

from .. import request_id
from ..errors import ComputationFailed, TooDemanding, TooManyRequests, Unavailable
from ..settings import Settings
from .jobs import Event, Job
from .mailbox import Mailbox
from .metrics import Metrics
from .worker import work

log = logging.getLogger(__name__)
START_SECONDS = 120  # how long a request for the catalogue waits for a starting worker
STOP_SECONDS = 5
TRIES = 2


@dataclass
class _Running:
    job: Job
    client: str
    request: str  # its id
    mailbox: Mailbox = field(default_factory=Mailbox)
    began: float = field(default_factory=time.monotonic)
    tries: int = 1
    told: bool = False  # whether something came of it yet


class _Link:
    """One worker process with the threads that write to it and read from it, so that the event loop never blocks."""

    def __init__(self, settings: Settings, receive: Any, died: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=work, args=(theirs, settings), name="gradoscope-worker", daemon=True
        )
        self.process.start()
        theirs.close()
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="worker-writer", daemon=True)
        self._writer.start()
        threading.Thread(target=self._read, args=(receive, died), name="worker-reader", daemon=True).start()

    def post(self, *message: Any) -> None:
        self._outbox.put(message)

    def stop(self) -> None:
        """Ask the worker to end by closing the line, and make it where it does not listen. Blocks."""
        self._outbox.put(None)
        self.process.join(STOP_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def _write(self) -> None:
        with suppress(OSError):  # the worker died; the reader notices too
            while (message := self._outbox.get()) is not None:
                self._connection.send(message)
            self._connection.send(("stop",))

    def _read(self, receive: Any, died: Any) -> None:
        with suppress(EOFError, OSError):
            while True:
                receive(self._connection.recv())
        self._outbox.put(None)  # ends the writer
        self._writer.join()
        self.process.join(STOP_SECONDS)
        self._connection.close()
        died()


class LocalExecutor:
    """Jobs in a worker process that is started again when it dies; each job gets one more try then."""

    def __init__(self, settings: Settings) -> None:
        self.metrics = Metrics()
        self.metrics.limit.set(settings.max_requests)
        self._settings = settings
        self._jobs: dict[int, _Running] = {}
        self._numbers = itertools.count()
        self._link: _Link | None = None
        self._stopping = False
        self._catalogue: dict[str, Any] | None = None
        self._known = asyncio.Event()
        self._reason: str | None = "the worker is starting"
        self._deaths = 0
        self._seconds = 5.0  # a job's usual time, a running mean

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._spawn()

    async def stop(self) -> None:
        self._stopping = True
        self._reason = "the server is shutting down"
        for running in self._jobs.values():
            running.mailbox.put(Event("error", Unavailable("The server is shutting down.", retry_after=5).as_dict()))
        if self._link is not None:
            await asyncio.to_thread(self._link.stop)

    @property
    def unready(self) -> str | None:
        return self._reason

    @property
    def worker_pid(self) -> int | None:
        return self._link.process.pid if self._link else None

    def __len__(self) -> int:
        return len(self._jobs)

    async def catalogue(self) -> dict[str, Any]:
        try:
            await asyncio.wait_for(self._known.wait(), START_SECONDS)
        except TimeoutError as error:
            raise Unavailable(f"Not ready: {self._reason}.", retry_after=10) from error
        assert self._catalogue is not None
        return self._catalogue

    def forget_pictures(self) -> None:
        self._post("forget")

    async def submit(self, job: Job, client: str = "") -> AsyncGenerator[Event, None]:
        self._admit()
        number = next(self._numbers)
        running = self._jobs[number] = _Running(job, client, request_id.current())
        self._count()
        self._post("run", number, job, client, running.request)
        try:
            while True:
                event = await running.mailbox.get()
                yield event
                if event.final:
                    return
        finally:
            if self._jobs.pop(number, None) is not None:
                self._post("cancel", number)
                self.metrics.ended("cancelled")
            self._count()

    def _count(self) -> None:
        self.metrics.in_flight.set(len(self._jobs))
        self.metrics.waiting.set(sum(not running.told for running in self._jobs.values()))

    def _admit(self) -> None:
        if self._stopping:
            raise Unavailable("The server is shutting down.", retry_after=5)
        if len(self._jobs) >= self._settings.max_requests:
            oldest = min(running.began for running in self._jobs.values())
            wait = max(1, math.ceil(self._seconds - (time.monotonic() - oldest)))
            raise TooManyRequests(
                f"{len(self._jobs)} requests are in flight, which is the limit. Try again in about {wait} s.",
                retry_after=wait,
            )

    def _post(self, *message: Any) -> None:
        if self._link is not None:
            self._link.post(*message)

    def _spawn(self) -> None:
        def on_loop(callback: Any) -> Any:
            def call(*arguments: Any) -> None:
                if not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(callback, *arguments)

            return call

        self._link = _Link(self._settings, on_loop(self._receive), on_loop(self._died))
        self.metrics.worker_began(self._link.process.pid)
        for number, running in self._jobs.items():
            self._link.post("run", number, running.job, running.client, running.request)

    def _receive(self, message: tuple[Any, ...]) -> None:
        if message[0] == "event":
            self._deliver(message[1], message[2])
        elif message[0] == "effort":
            self.metrics.worker_told(message[1])
        elif message[0] == "failed":
            self._reason = f"the worker cannot start: {message[1]}"
        else:
            self._catalogue = message[1]
            self._known.set()
            if message[0] == "ready":
                self._reason, self._deaths = None, 0

    def _deliver(self, number: int, event: Event) -> None:
        running = self._jobs.get(number)
        if running is None:
            return  # cancelled meanwhile
        running.told = True
        if event.final:
            del self._jobs[number]
            self._seconds += 0.2 * (time.monotonic() - running.began - self._seconds)
            self._count()
            self.metrics.ended(_outcome(event))
            if event.data.get("title") == TooDemanding.title:
                self.metrics.decoder_deaths.inc()
        else:
            self._count()
            if event.name == "panel":
                self.metrics.panel(event.data["panel"])
        running.mailbox.put(event)

    def _died(self) -> None:
        if self._stopping:
            return
        self._deaths += 1
        self.metrics.worker_deaths.inc()
        if self._reason is None:
            self._reason = "the worker died and is being started again"
        log.error("the worker died; %d jobs are tried again", len(self._jobs))
        for number, running in list(self._jobs.items()):
            running.tries += 1
            if running.tries > TRIES:
                problem = ComputationFailed(
                    "The worker died twice while it computed this. Take a smaller model, picture or batch.",
                    retry_after=30,
                )
                self._deliver(number, Event("error", problem.as_dict()))
        # at once the first time, then with growing pauses: a worker that cannot start must not spin
        self._link = None
        self._loop.call_later(0 if self._deaths == 1 else min(2.0**self._deaths, 30), self._respawn)

    def _respawn(self) -> None:
        if not self._stopping:
            self._spawn()


def _outcome(event: Event) -> str:
    if event.name != "error":
        return "done"
    return "refused" if event.data["status"] < 500 else "failed"
