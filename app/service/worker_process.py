"""One worker process, and the pipe to it."""

from __future__ import annotations

import logging
import multiprocessing
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from ..settings import Settings

log = logging.getLogger(__name__)
STOP_SECONDS = 5  # for the worker to end by itself; then it is killed

WorkerMain = Callable[[Connection, Settings], None]


class WorkerProcess:
    """A worker process with the threads that write to it and read from it, so that the event loop never blocks.

    `worker_main` runs in it. `on_message` is called with each of its messages, `on_exit` once after it has ended; both
    in the reader thread.
    """

    def __init__(
        self,
        worker_main: WorkerMain,
        settings: Settings,
        on_message: Callable[[Any], None],
        on_exit: Callable[[], None],
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, worker_end = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=worker_main, args=(worker_end, settings), name="gradoscope-worker", daemon=True
        )
        self.process.start()
        worker_end.close()
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_messages, name="worker-writer", daemon=True)
        self._writer.start()
        threading.Thread(
            target=self._read_messages, args=(on_message, on_exit), name="worker-reader", daemon=True
        ).start()

    def post(self, *message: Any) -> None:
        """Queue a message for the worker. Returns at once."""
        self._outbox.put(message)

    def kill(self) -> None:
        """Kill the worker; the reader thread then calls `on_exit`."""
        self.process.kill()

    def stop(self) -> None:
        """Ask the worker to stop, and kill it after `STOP_SECONDS`. Blocks until it has ended."""
        self._outbox.put(None)
        self.process.join(STOP_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def _write_messages(self) -> None:
        with suppress(OSError):  # the worker died; the reader notices too
            while (message := self._outbox.get()) is not None:
                self._connection.send(message)
            self._connection.send(("stop",))

    def _read_messages(self, on_message: Callable[[Any], None], on_exit: Callable[[], None]) -> None:
        try:
            while True:
                on_message(self._connection.recv())
        except (EOFError, OSError):
            pass
        except Exception:
            log.exception("a message from the worker could not be read; the worker is killed")
            self.process.kill()
        self._outbox.put(None)  # ends the writer
        self._writer.join()
        self.process.join(STOP_SECONDS)
        self.process.kill()  # in case it has closed the pipe but still runs
        self.process.join()
        self._connection.close()
        on_exit()
