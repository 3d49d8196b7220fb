"""The worker process: only it, with its decoder processes, decodes pictures, loads models and computes."""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Protocol

from ..contract.catalogue import Catalogue
from ..contract.problems import Problem
from ..contract.records import Ending
from ..contract.workers import WorkerCounters
from ..settings import Settings
from ..storage.records import load_record
from ..zoo.library_imports import import_without_compiler
from ..zoo.paths import hide_paths
from . import logs
from .threads import share_cores
from .worker_process import END_SIGNALS

IDLE_SECONDS = 2.0  # without a message, after which memory is given back to the system
REPORT_SECONDS = 1.0  # between two reports of the counters while computing
TRIAL_SECONDS = 0.05  # between backend trials while idle: a job that arrives waits for one trial at most
WORKSPACE = 512 * 2**20  # bytes beside the models that may stay allocated between requests


def work(connection: Connection, settings: Settings) -> None:
    """Serve jobs from `connection` until it closes. The first message sent is `ready` with the catalogue, or
    `failed`."""
    share_cores()
    import_without_compiler()  # timm and torchvision, without torch.compile
    leave_signals_to_parent()
    logs.configure(settings.log_format, "worker")
    hide_paths(settings)  # messages name the settings of folders instead of the folders: clients read them
    gc.disable()  # a sixth of the start would go into looking for garbage among what the imports leave for ever
    try:
        worker = Worker(connection, settings)
    except Exception as error:
        logging.getLogger(__name__).exception("the worker cannot start")
        connection.send(("failed", f"{type(error).__name__}: {error}"))
        return
    gc.enable()
    with suppress(EOFError, OSError):  # the web process is gone, or has sent `stop`
        worker.serve()
    os._exit(0)  # nothing is left to clean up; the libraries' own clean-up is slow and fills the log


def leave_signals_to_parent() -> None:
    """Ignore SIGINT and SIGTERM: they go to the whole process group, and the web process ends this one when what runs
    is done. They were blocked since this process was started."""
    for number in END_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, END_SIGNALS)


class PipeTransport(Protocol):
    """The part of multiprocessing's connections that a worker needs."""

    def poll(self, timeout: float | None = 0.0) -> bool: ...

    def recv(self) -> Any: ...

    def send(self, message: Any) -> None: ...


class Worker:
    """Computes the jobs that come over a connection, in turns. `run` starts a job; by default it is the pipeline's."""

    def __init__(
        self, connection: PipeTransport, settings: Settings, run: Callable[[Any, Any], Any] | None = None
    ) -> None:
        import torch  # imported here, so that importing this module stays cheap for the web process

        from ..attribution.counters import counters
        from ..attribution.memory import keep_freed_memory, release_freed_memory, resident
        from ..pipeline import pipeline
        from ..pipeline.catalogue import catalogue
        from ..pipeline.context import Context
        from ..pipeline.problems import library_errors_as_problems
        from .scheduler import Scheduler
        from .warm_up import end_trials, warm_up

        keep_freed_memory()
        if settings.threads:
            torch.set_num_threads(settings.threads)
        torch.backends.cudnn.allow_tf32 = False  # float32 means float32
        self._connection, self._run = connection, run or pipeline.run
        self._release_memory, self._resident, self._initial_bytes = release_freed_memory, resident, resident()
        self._counters = counters
        self._last_report: WorkerCounters | None = None
        self._reported_at = 0.0
        self._scheduler = Scheduler()
        gc.freeze()  # what the imports have made stays for ever: no collection, now or later, need walk it
        self._context = Context.open(settings)
        self._context.decoders.warm()
        self._catalogue: Callable[[], Catalogue] = lambda: catalogue(self._context.zoo, settings)
        loaded = None
        try:
            with library_errors_as_problems():
                loaded = warm_up(self._context)
        except Problem as problem:  # faulty card or missing weights: others can still be used
            logging.getLogger(__name__).error("the default model cannot be used: %s", problem.detail)
        self._context.zoo.pop_changed()
        ready = self._catalogue()
        gc.collect()
        gc.freeze()
        if loaded is not None:
            end_trials(self._context, loaded)
        connection.send(("ready", ready))

    def serve(self) -> None:
        while True:
            if not len(self._scheduler):
                self._wait_for_message()
            while self._connection.poll():
                self._receive(self._connection.recv())
            for number, event in self._scheduler.turn():
                if event.final:
                    self._free_memory()
                    # first the catalogue: a client that asks again after the answer sees the new state
                    self._send_catalogue_if_changed()
                    self._send_counters()
                self._connection.send(("event", number, event))
            self._send_catalogue_if_changed()
            if time.monotonic() - self._reported_at > REPORT_SECONDS:
                self._send_counters(computing=True)

    def _wait_for_message(self) -> None:
        """Wait for a message. Meanwhile try backends for the loaded models. After `IDLE_SECONDS` give memory back that
        was kept for the next micro-batches."""
        self._send_counters()
        while not self._connection.poll(TRIAL_SECONDS) and self._context.zoo.advance_backends():
            pass
        if not self._connection.poll(IDLE_SECONDS):
            self._release_memory()
            self._connection.poll(None)

    def _free_memory(self) -> None:
        """Give memory back to the system if the allocator holds too much. It keeps freed blocks, which is quick for the
        next micro-batch, but blocks of one model's layers seldom fit another's."""
        cached_bytes = self._context.zoo.bytes + self._context.picture_cache.currsize
        if self._resident() - self._initial_bytes - cached_bytes > WORKSPACE:
            self._release_memory()

    def _receive(self, message: tuple[Any, ...]) -> None:
        if message[0] == "run":
            _, number, job, client, request = message  # client: for fair turns; request: the id in log lines
            self._scheduler.add(number, self._run(job, self._context), client, request)
        elif message[0] == "cancel":
            self._scheduler.cancel(message[1])
        elif message[0] == "forget":
            self._context.picture_cache.clear()
            with suppress(Problem):
                self._context.store.forget(message[1])  # a run that was cancelled just now may have created it again
        elif message[0] == "ping":
            self._connection.send(("pong",))
        elif message[0] == "cancel_running_except":
            with suppress(Problem):
                self._context.store.cancel_running(except_for=message[1])  # records that nobody computes any more
        elif message[0] == "record_end":
            self._record_end(*message[1:])
        elif message[0] == "stop":
            raise EOFError

    def _record_end(self, explanation: str, ending: Ending) -> None:
        """Write into an explanation's record how it ended, for a run that could not do so itself."""
        store = self._context.store
        with suppress(Problem):  # it was deleted meanwhile, or the disk is full
            record = load_record(store, explanation)
            if record is not None and record.status != "done":
                store.update(explanation, record.ended(ending).to_dict())

    def _send_catalogue_if_changed(self) -> None:
        """Send the catalogue if it has changed: layers are known once a model was loaded, cards and weights come and
        go."""
        if self._context.zoo.pop_changed():
            self._connection.send(("catalogue", self._catalogue()))

    def _send_counters(self, computing: bool = False) -> None:
        """Send what was computed so far and what is in memory, if it has changed. While computing it is always sent, as
        a sign of life."""
        zoo = self._context.zoo
        report = WorkerCounters(
            micro_batches=self._counters.micro_batches,
            gradient_evaluations=self._counters.gradient_evaluations,
            models=len(zoo.loaded),
            model_bytes=zoo.bytes,
            loaded=zoo.loaded,
        )
        self._reported_at = time.monotonic()
        if report != self._last_report or computing:
            self._last_report = report
            self._connection.send(("counters", report))
