"""One worker process, and the pipe to it."""

from __future__ import annotations

import logging
import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from ..settings import Settings

log = logging.getLogger(__name__)
END_SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOP_SECONDS = 5  # for the worker to end by itself; then it is killed

WorkerMain = Callable[[Connection, Settings], None]


class WorkerProcess:
    """A worker process with the threads that write to it and read from it, so that the event loop never blocks.

    `receive` is called with each of its messages, `died` once after it has ended. Both are called in the reader thread.
    """

    def __init__(
        self, work: WorkerMain, settings: Settings, receive: Callable[[Any], None], died: Callable[[], None]
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, worker_end = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=work, args=(worker_end, settings), name="gradoscope-worker", daemon=True
        )
        before = signal.pthread_sigmask(signal.SIG_BLOCK, END_SIGNALS)  # the new process inherits it
        try:
            self.process.start()
        except BaseException:
            self._connection.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            worker_end.close()
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_messages, name="worker-writer", daemon=True)
        self._writer.start()
        threading.Thread(target=self._read_messages, args=(receive, died), name="worker-reader", daemon=True).start()

    def post(self, *message: Any) -> None:
        """Queue a message for the worker. Returns at once."""
        self._outbox.put(message)

    def kill(self) -> None:
        """Kill the worker; the reader thread then calls `died`."""
        self.process.kill()

    def stop(self) -> None:
        """Ask the worker to stop, and kill it after `STOP_SECONDS`. Blocks until it has ended."""
        self._outbox.put(None)
        self.process.join(STOP_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def _write_messages(self) -> None:
        try:
            while (message := self._outbox.get()) is not None:
                self._connection.send(message)
            self._connection.send(("stop",))
        except OSError:
            pass  # the worker died; the reader notices too
        except Exception:  # without a writer the worker hears nothing any more: it counts as dead
            log.exception("a message cannot be sent to the worker")
            self.process.kill()

    def _read_messages(self, receive: Callable[[Any], None], died: Callable[[], None]) -> None:
        try:
            while True:
                receive(self._connection.recv())
        except (EOFError, OSError):
            pass
        except Exception:
            log.exception("what the worker says cannot be understood")
            self.process.kill()
        self._outbox.put(None)  # ends the writer
        self._writer.join()
        self.process.join(STOP_SECONDS)
        self.process.kill()  # in case it has closed the pipe but still runs
        self.process.join()
        self._connection.close()
        died()
