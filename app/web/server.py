"""uvicorn: how it is set up, and a log that ends in where to open the page."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import socket
import sys
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI
from sse_starlette.sse import AppStatus

from ..contract.version import VERSION
from ..settings import Settings
from .middleware.connection import connections

LEEWAY_SECONDS = 3  # after the time of grace, for answers to be sent
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3  # as in malloc.h


def configuration(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """What uvicorn is to do, and what it is not: it tells nobody its name, and believes no header of a stranger."""
    return uvicorn.Config(
        app,
        http=connections(settings, lambda problem: app.state.executor.metrics.refused(problem.title, problem.status)),
        ws="none",
        loop="asyncio",  # also where another package has brought uvloop along: this is the one that tests run with
        log_config=None,  # its lines go the way of ours
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=LEEWAY_SECONDS,
    )


def give_back_freed() -> None:
    """Let glibc return large blocks to the system as they are freed, and keep few heaps for small ones.

    Else each of forty threads has a heap of its own, which only grows, and an upload or a drawn picture stays in it.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library has its own ways
            libc = ctypes.CDLL(None)
            libc.mallopt(M_ARENA_MAX, 2)
            libc.mallopt(M_MMAP_THRESHOLD, 128 * 1024)


class Server(uvicorn.Server):
    """As uvicorn's; `address` is the URL for people.

    Asked to end, it takes no more work at once and says so to whoever asks; what runs has a time of grace, and is then
    told that it will not be done. Asked a second time, it ends as it is.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, address: str) -> None:
        super().__init__(config)
        self.app, self.address = app, address
        self._leave_by: float | None = None
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]  # streams end by their last event

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        logging.getLogger("uvicorn.error").info("Gradoscope %s: open %s", VERSION, self.address)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """In place of uvicorn's, which stops listening at once, and ends by sending itself the signal again."""
        if self._leave_by is not None:
            self._end_now()
        elif self.started:
            grace = self.app.state.settings.grace_seconds
            self._leave_by = self._loop.time() + grace
            self._loop.call_soon_threadsafe(self.app.state.executor.drain)
            self._loop.call_soon_threadsafe(self._loop.call_later, grace, self.app.state.pulls.close)
        else:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop listening: there are no requests left to answer, or no time to answer them."""
        if self._leave_by is not None:
            late = self._loop.time() > self._leave_by + LEEWAY_SECONDS
            self.should_exit = late or not self.server_state.tasks
        return await super().on_tick(counter)

    def _end_now(self) -> None:
        logging.getLogger("uvicorn.error").warning("Asked a second time to end: it ends as it is")
        self.app.state.executor.kill()
        logging.shutdown()
        os._exit(1)
