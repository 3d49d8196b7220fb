"""Computes in one worker process on this machine."""

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
from .worker_process import WorkerMain, WorkerProcess

log = logging.getLogger(__name__)
PING_SECONDS = 15  # between two pings; the worker answers between two turns
SILENT_PINGS = 4  # after so many it is reported as not ready: the process is suspended, or a turn takes a minute
MAX_UNANSWERED_PINGS = 20  # after so many the worker hangs: no start and no turn takes so long
MAX_FAILED_STARTS = 3  # in a row; after them jobs are refused instead of waiting for the next start


class LocalExecutor(BaseExecutor):
    """Runs jobs in a worker process and restarts it when it dies. `CrashRetry` says which jobs then run again."""

    def __init__(self, settings: Settings, work: WorkerMain = work) -> None:
        super().__init__(settings, settings.max_requests)
        self._work = work
        self._crash_retry = CrashRetry()
        self._worker_process: WorkerProcess | None = None
        self._ready = False
        self._deaths = 0  # since a worker was last ready
        self._unanswered_pings = 0
        self._watch_task: asyncio.Task[None] | None = None
        self._unrecorded_ends: dict[str, Ending] = {}  # for the next worker, by explanation

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watch_task = asyncio.create_task(self._watch())
        self._spawn()

    async def stop(self) -> None:
        self._stop_admitting()
        self._fail_all()
        if self._watch_task is not None:
            self._watch_task.cancel()
        if self._worker_process is not None:
            if not self._ready:  # a starting worker does not listen yet
                self._worker_process.kill()
            await asyncio.to_thread(self._worker_process.stop)

    def kill(self) -> None:
        """End the worker at once, without a message to anyone. May be called from any thread."""
        if self._worker_process is not None:
            self._worker_process.kill()

    @property
    def unready(self) -> str | None:
        if self._unready_reason is None and self._unanswered_pings > SILENT_PINGS:
            return f"the worker has said nothing for {PING_SECONDS * SILENT_PINGS} s"
        return self._unready_reason

    @property
    def worker_pid(self) -> int | None:
        return self._worker_process.process.pid if self._worker_process else None

    def _forget_in_workers(self, explanation: str) -> None:
        self._unrecorded_ends.pop(explanation, None)
        self._post("forget", explanation)

    def _check_available(self) -> None:
        if self._deaths >= MAX_FAILED_STARTS:
            raise Unavailable(f"Not ready: {self._unready_reason}.", retry_after=30)

    def _computing_jobs(self) -> Iterable[int]:
        return self._crash_retry.running

    def _start_job(self, number: int) -> None:
        self._crash_retry.add(number)
        self._dispatch()

    def _dispatch(self) -> None:
        """Send the worker the jobs that may start. A worker that is not ready gets none: if its start fails, no job
        does."""
        if not self._ready:
            return
        for number in self._crash_retry.next():
            if len(self._crash_retry.running) == 1:
                self._retry_after.pause()  # the worker was idle: that time does not count for its speed
            running = self._jobs[number]
            self._post("run", number, running.job, running.client, running.request)

    def _stop_job(self, number: int) -> bool:
        with_worker = number in self._crash_retry.running
        if with_worker:
            self._post("cancel", number)
        self._crash_retry.remove(number)
        self._dispatch()
        return with_worker

    def _record_end(self, explanation: str, end: Ending) -> None:
        self._unrecorded_ends[explanation] = end
        self._send_unrecorded_ends()

    def _send_unrecorded_ends(self) -> None:
        if self._ready:
            for recorded in self._unrecorded_ends.items():
                self._post("record_end", *recorded)
            self._unrecorded_ends.clear()

    def _post(self, *message: Any) -> None:
        if self._worker_process is not None:
            self._worker_process.post(*message)

    def _spawn(self) -> None:
        def on_loop(callback: Callable[..., None]) -> Callable[..., None]:
            def call(*arguments: Any) -> None:
                if not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(callback, *arguments)

            return call

        self._unanswered_pings = 0
        self._worker_process = WorkerProcess(self._work, self._settings, on_loop(self._receive), on_loop(self._died))
        self.telemetry.worker_started(self._worker_process.process.pid)

    def _receive(self, message: tuple[Any, ...]) -> None:
        self._unanswered_pings = 0
        if message[0] == "event":
            self._deliver(message[1], message[2])
        elif message[0] == "counters":
            self.telemetry.worker_reported(message[1])
        elif message[0] == "failed":
            self._unready_reason = f"the worker cannot start: {message[1]}"
        elif message[0] in ("ready", "catalogue"):
            self._set_catalogue(message[1])
            if message[0] == "ready":
                self._ready, self._deaths = True, 0
                if not self._stopping:
                    self._unready_reason = None
                explanations = [running.job.id for running in self._jobs.values() if isinstance(running.job, Explain)]
                self._post("cancel_running_except", explanations)
                self._send_unrecorded_ends()
                self._dispatch()

    def _deliver(self, number: int, event: Event) -> None:
        if event.final and number in self._jobs:
            self._crash_retry.remove(number)  # the worker has finished it: there is nothing to cancel
        super()._deliver(number, event)

    def _died(self) -> None:
        self._worker_process, was_ready, self._ready = None, self._ready, False
        if self._stopping:
            self._fail_all()
            return
        self._deaths += 1
        self.telemetry.worker_deaths.inc()
        if was_ready:
            self._unready_reason = "the worker died and is being started again"
        log.error("the worker died; %d jobs are tried again, one at a time", len(self._crash_retry.running))
        try:
            for number in self._crash_retry.worker_died():
                self._fail(number, self._quarantine.add(self._jobs[number].job))
            if self._deaths >= MAX_FAILED_STARTS:
                for number in list(self._jobs):
                    self._fail(number, Unavailable(f"Not ready: {self._unready_reason}.", retry_after=30))
        finally:  # whatever goes wrong with a job, the next worker is started
            self._respawn_later()

    def _respawn_later(self) -> None:
        """At once the first time, then after growing pauses, so that a failing start does not become a busy loop."""
        self._loop.call_later(0 if self._deaths == 1 else min(2.0**self._deaths, 30), self._respawn)

    def _respawn(self) -> None:
        if self._stopping:
            return
        try:
            self._spawn()
        except Exception as error:  # no memory, no process or no file handle is left: that may pass
            log.exception("the worker cannot be started")
            self._unready_reason = f"the worker cannot be started: {error}"
            self._deaths += 1
            self._respawn_later()

    async def _watch(self) -> None:
        """End a worker that hangs. Counts pings, not seconds: if the machine slept, the worker did not hang."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            if self._worker_process is None:
                continue
            if self._unanswered_pings == 0:
                self._post("ping")
            self._unanswered_pings += 1
            if self._unanswered_pings > MAX_UNANSWERED_PINGS:
                log.error("the worker has not answered for %d s and is killed", PING_SECONDS * MAX_UNANSWERED_PINGS)
                self._unanswered_pings = 0
                self._worker_process.kill()
