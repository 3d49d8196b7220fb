"""The worker process: it alone decodes pictures, loads models and computes."""

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
from ..contract.workers import Effort
from ..settings import Settings
from ..storage.records import load_record
from . import logs
from .threads import share_cores

REST_SECONDS = 2.0
TELL_SECONDS = 1.0
SETTLE_SECONDS = 0.05  # between steps towards the quickest way to gradients: a job that comes waits for one at most
WORKSPACE = 512 * 2**20  # bytes beside the models that may stay with the process from one request to the next


def work(connection: Connection, settings: Settings) -> None:
    """Serve jobs that come over `connection` until it closes. First says `ready` with the catalogue, or `failed`."""
    share_cores()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the web process, which ends this one
    logs.configure(settings.log_format, "worker")
    try:
        worker = Worker(connection, settings)
    except Exception as error:
        logging.getLogger(__name__).exception("the worker cannot start")
        connection.send(("failed", f"{type(error).__name__}: {error}"))
        return
    with suppress(EOFError, OSError):  # the web process has gone, or asks to end
        worker.serve()
    os._exit(0)  # nothing is left to tidy up, and what libraries tidy up at the end is slow and fills the log


class PipeTransport(Protocol):
    """What a worker takes of multiprocessing's connections."""

    def poll(self, timeout: float | None = 0.0) -> bool: ...

    def recv(self) -> Any: ...

    def send(self, message: Any) -> None: ...


class Worker:
    """Computes what comes over a line, all in turns. `run` makes the run of a job; else it is the pipeline's."""

    def __init__(
        self, connection: PipeTransport, settings: Settings, run: Callable[[Any, Any], Any] | None = None
    ) -> None:
        import torch  # here, not above: importing this module must stay cheap for the web process

        from ..attribution.counters import counters
        from ..attribution.memory import give_back, keep_freed, resident
        from ..pipeline import pipeline
        from ..pipeline.catalogue import catalogue
        from ..pipeline.context import Context
        from ..pipeline.problems import told_as_problems
        from .scheduler import Scheduler

        keep_freed()
        if settings.threads:
            torch.set_num_threads(settings.threads)
        torch.backends.cudnn.allow_tf32 = False  # float32 means float32
        self._connection, self._run = connection, run or pipeline.run
        self._give_back, self._resident, self._bare = give_back, resident, resident()
        self._effort = counters
        self._told: Effort | None = None
        self._told_when = 0.0
        self._scheduler = Scheduler()
        self._workshop = Context.open(settings)
        self._workshop.decoders.warm()
        self._catalogue: Callable[[], Catalogue] = lambda: catalogue(self._workshop.zoo, settings)
        try:
            with told_as_problems():
                warm_up(self._workshop)
        except Problem as problem:  # its card or weights: others can still be used, and requests for it say why
            logging.getLogger(__name__).error("the default model cannot be used: %s", problem.detail)
        self._workshop.zoo.take_change()
        ready = self._catalogue()
        gc.collect()
        gc.freeze()  # what the imports left is here to stay: no later collection need walk it
        connection.send(("ready", ready))

    def serve(self) -> None:
        while True:
            if not len(self._scheduler):
                self._rest()
            while self._connection.poll():
                self._receive(self._connection.recv())
            for number, event in self._scheduler.turn():
                if event.final:
                    self._tidy()
                    self._tell_catalogue()  # first: whoever asks again after the answer sees what came of it
                    self._tell_effort()
                self._connection.send(("event", number, event))
            self._tell_catalogue()
            if time.monotonic() - self._told_when > TELL_SECONDS:
                self._tell_effort(at_work=True)

    def _rest(self) -> None:
        """Wait for a job. One that is long in coming finds memory given back: what micro-batches took is kept for the
        next ones meanwhile; and it finds the models' quickest ways tried."""
        self._tell_effort()
        while not self._connection.poll(SETTLE_SECONDS) and self._workshop.zoo.advance_backends():
            pass
        if not self._connection.poll(REST_SECONDS):
            self._give_back()
            self._connection.poll(None)

    def _tidy(self) -> None:
        """Give back what the allocator has piled up. It keeps freed memory in pieces, which is quick for the next
        micro-batch, but the pieces of one model's layers seldom fit another's."""
        kept = self._workshop.zoo.bytes + self._workshop.recent.currsize
        if self._resident() - self._bare - kept > WORKSPACE:
            self._give_back()

    def _receive(self, message: tuple[Any, ...]) -> None:
        if message[0] == "run":
            _, number, job, client, request = message
            self._scheduler.add(number, self._run(job, self._workshop), client, request)
        elif message[0] == "cancel":
            self._scheduler.cancel(message[1])
        elif message[0] == "forget":
            self._workshop.recent.clear()
            with suppress(Problem):
                self._workshop.store.forget(message[1])  # a run that was told to end just now may have begun it again
        elif message[0] == "ping":
            self._connection.send(("pong",))
        elif message[0] == "begin":
            with suppress(Problem):
                self._workshop.store.end_all(message[1])
        elif message[0] == "mark":
            self._mark(*message[1:])
        elif message[0] == "stop":
            raise EOFError

    def _mark(self, explanation: str, end: Ending) -> None:
        """Note what has become of an explanation whose run did not get to say so itself."""
        store = self._workshop.store
        with suppress(Problem):  # deleted meanwhile, or the disk is full
            record = load_record(store, explanation)
            if record is not None and record.status != "done":
                store.update(explanation, record.ended(end).to_dict())

    def _tell_catalogue(self) -> None:
        """Layers are known once a model was loaded, cards and weights may come and go: say so."""
        if self._workshop.zoo.take_change():
            self._connection.send(("catalogue", self._catalogue()))

    def _tell_effort(self, at_work: bool = False) -> None:
        """What was computed so far, and what is in memory. One at work says so in any case: it does not hang."""
        zoo = self._workshop.zoo
        told = Effort(
            micro_batches=self._effort.micro_batches,
            gradient_evaluations=self._effort.gradient_evaluations,
            models=len(zoo.loaded),
            model_bytes=zoo.bytes,
            loaded=zoo.loaded,
        )
        self._told_when = time.monotonic()
        if told != self._told or at_work:
            self._told = told
            self._connection.send(("effort", told))


def warm_up(context: Any) -> None:
    """Load the default model and take one gradient, so that the first request pays for neither."""
    from ..attribution.score import Score

    settings = context.settings
    loaded = context.zoo.load(settings.default_model)
    engine = loaded.engine(Score(0), settings.micro_batch)
    for _ in range(3):
        count = engine.micro_batch
        pictures = loaded.classifier.probe(count)
        began = time.monotonic()
        engine.gradients(pictures)
    context.pace.learn(settings.default_model, ("gradients",), time.monotonic() - began, count, loaded.size)
    _ = loaded.inspection
