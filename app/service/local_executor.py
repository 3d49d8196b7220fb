"""Computing in one worker process on this machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from ..contract.events import Event
from ..contract.jobs import Explain
from ..contract.problems import Unavailable
from ..contract.records import Ending
from ..settings import Settings
from .base_executor import BaseExecutor
from .crash_retry import CrashRetry
from .worker import work
from .worker_process import Work, WorkerProcess

log = logging.getLogger(__name__)
PULSE_SECONDS = 15  # between two questions to the worker whether it is there; it answers between two turns
SILENT_PULSES = 20  # unanswered, after which it hangs: no start and no turn takes so long
STARTS = 3  # failed starts in a row, after which nobody is kept waiting for the next


class LocalExecutor(BaseExecutor):
    """Jobs in a worker process that is started again when it dies; what ran then runs again, as `CrashRetry` has it."""

    def __init__(self, settings: Settings, work: Work = work) -> None:
        super().__init__(settings, settings.max_requests)
        self._work = work
        self._roll = CrashRetry()
        self._link: WorkerProcess | None = None
        self._ready = False
        self._deaths = 0  # since one was ready
        self._silent = 0  # pulses
        self._watching: asyncio.Task[None] | None = None
        self._unmarked: dict[str, Ending] = {}  # what the next worker is to note of explanations

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watching = asyncio.create_task(self._watch())
        self._spawn()

    async def stop(self) -> None:
        self._shut()
        self._end_all()
        if self._watching is not None:
            self._watching.cancel()
        if self._link is not None:
            if not self._ready:  # one that starts does not listen
                self._link.kill()
            await asyncio.to_thread(self._link.stop)

    def kill(self) -> None:
        """End the worker as it stands, from wherever this is called; nothing is told to anyone."""
        if self._link is not None:
            self._link.kill()

    @property
    def worker_pid(self) -> int | None:
        return self._link.process.pid if self._link else None

    def _let_go(self, explanation: str) -> None:
        self._unmarked.pop(explanation, None)
        self._post("forget", explanation)

    def _check(self) -> None:
        if self._deaths >= STARTS:
            raise Unavailable(f"Not ready: {self._reason}.", retry_after=30)

    def _at_work(self) -> Iterable[int]:
        return self._roll.running

    def _begin(self, number: int) -> None:
        self._roll.add(number)
        self._dispatch()

    def _dispatch(self) -> None:
        """Send the worker those jobs whose turn it is. One that is not ready is not sent any: its start is its own."""
        if not self._ready:
            return
        for number in self._roll.next():
            if len(self._roll.running) == 1:
                self._forecast.rested()
            running = self._jobs[number]
            self._post("run", number, running.job, running.client, running.request)

    def _cease(self, number: int) -> bool:
        with_worker = number in self._roll.running
        if with_worker:
            self._post("cancel", number)
        self._roll.remove(number)
        self._dispatch()
        return with_worker

    def _mark(self, explanation: str, end: Ending) -> None:
        self._unmarked[explanation] = end
        self._note()

    def _note(self) -> None:
        if self._ready:
            for marked in self._unmarked.items():
                self._post("mark", *marked)
            self._unmarked.clear()

    def _post(self, *message: Any) -> None:
        if self._link is not None:
            self._link.post(*message)

    def _spawn(self) -> None:
        def on_loop(callback: Callable[..., None]) -> Callable[..., None]:
            def call(*arguments: Any) -> None:
                if not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(callback, *arguments)

            return call

        self._silent = 0
        self._link = WorkerProcess(self._work, self._settings, on_loop(self._receive), on_loop(self._died))
        self.metrics.worker_began(self._link.process.pid)

    def _receive(self, message: tuple[Any, ...]) -> None:
        self._silent = 0
        if message[0] == "event":
            self._deliver(message[1], message[2])
        elif message[0] == "effort":
            self.metrics.worker_told(message[1])
        elif message[0] == "failed":
            self._reason = f"the worker cannot start: {message[1]}"
        elif message[0] in ("ready", "catalogue"):
            self._learn(message[1])
            if message[0] == "ready":
                self._ready, self._deaths = True, 0
                if not self._stopping:
                    self._reason = None
                going_on = [running.job.id for running in self._jobs.values() if isinstance(running.job, Explain)]
                self._post("begin", going_on)
                self._note()
                self._dispatch()

    def _deliver(self, number: int, event: Event) -> None:
        if event.final and number in self._jobs:
            self._roll.remove(number)  # the worker is done with it
        super()._deliver(number, event)

    def _died(self) -> None:
        self._link, was_ready, self._ready = None, self._ready, False
        if self._stopping:
            self._end_all()
            return
        self._deaths += 1
        self.metrics.worker_deaths.inc()
        if was_ready:
            self._reason = "the worker died and is being started again"
        log.error("the worker died; %d jobs are tried again, one at a time", len(self._roll.running))
        for number in self._roll.death():
            self._fail(number, self._quarantine.add(self._jobs[number].job))
        if self._deaths >= STARTS:
            for number in list(self._jobs):
                self._fail(number, Unavailable(f"Not ready: {self._reason}.", retry_after=30))
        # at once the first time, then with growing pauses: a worker that cannot start must not spin
        self._loop.call_later(0 if self._deaths == 1 else min(2.0**self._deaths, 30), self._respawn)

    def _respawn(self) -> None:
        if not self._stopping:
            self._spawn()

    async def _watch(self) -> None:
        """End a worker that hangs. Pulses are counted, not seconds: a machine that sleeps is no worker that hangs."""
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            if self._link is None:
                continue
            if self._silent == 0:
                self._post("ping")
            self._silent += 1
            if self._silent > SILENT_PULSES:
                log.error("the worker has said nothing for %d s and is ended", PULSE_SECONDS * SILENT_PULSES)
                self._silent = 0
                self._link.kill()
