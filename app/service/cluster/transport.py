"""Messages to and from a worker that is a thread of this process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any


class Transport:
    """Has the methods of multiprocessing's connections that a `Worker` calls; `receive` gets what the worker sends."""

    def __init__(self, receive: Callable[[Any], None]) -> None:
        self.send = receive
        self._inbox: deque[tuple[Any, ...]] = deque()
        self._arrived = threading.Condition()

    def post(self, *message: Any) -> None:
        """Queue a message for the worker. Does not wait; may be called from any thread."""
        with self._arrived:
            self._inbox.append(message)
            self._arrived.notify()

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Whether there is a message; waits up to `timeout` seconds for one, for ever if None."""
        with self._arrived:
            return self._arrived.wait_for(lambda: bool(self._inbox), timeout)

    def recv(self) -> tuple[Any, ...]:
        with self._arrived:
            return self._inbox.popleft()
