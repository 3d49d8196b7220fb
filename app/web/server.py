"""Configures uvicorn; its start logs the address to open."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import os
import resource
import socket
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from sse_starlette.sse import AppStatus

from ..contract.version import VERSION
from ..settings import Settings
from .middleware.connection import connection_class

BACKLOG = 256  # connections that wait to be accepted
MAX_FILES = 65_536
TOLD_SECONDS = 30
LEEWAY_SECONDS = 3  # after the grace period, to send responses
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3  # as in malloc.h


def uvicorn_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """uvicorn's configuration: no Server header, and no trust in proxy headers (our middleware handles those)."""
    return uvicorn.Config(
        app,
        http=connection_class(
            settings, lambda problem: app.state.executor.telemetry.request_refused(problem.title, problem.status)
        ),
        ws="none",
        loop="asyncio",  # even if uvloop is installed: the tests run with asyncio's
        log_config=None,  # it uses our logging
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=LEEWAY_SECONDS,
        backlog=BACKLOG,
    )


def return_freed_memory() -> None:
    """Make glibc return large freed blocks to the system, and keep few heaps for small ones.

    By default each of forty threads has its own heap, which only grows and keeps an upload's or a picture's memory.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            libc = ctypes.CDLL(None)
            libc.mallopt(M_ARENA_MAX, 2)
            libc.mallopt(M_MMAP_THRESHOLD, 128 * 1024)


def raise_file_limit() -> None:
    """Allow as many open files as the system grants: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Server(uvicorn.Server):
    """uvicorn's server with a graceful end; `address` is the URL for people.

    At the first signal it refuses new jobs; running jobs get the grace period and fail after it. At the second signal
    it ends at once.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, address: str) -> None:
        super().__init__(config)
        self.app, self.address = app, address
        self._end_by: float | None = None
        self._told_at: float | None = None  # when it was last logged that no file handle is left
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]  # our streams end with their last event

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._on_loop_error)
        logging.getLogger("uvicorn.error").info("Gradoscope %s: open %s", VERSION, self.address)

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log that no file handle is left, once in a while and without a traceback: asyncio reports it for every
        connection that waits, again and again."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
        elif self._told_at is None or loop.time() - self._told_at > TOLD_SECONDS:
            self._told_at = loop.time()
            logging.getLogger("uvicorn.error").error(
                "No file handle is left: new connections wait. Raise the limit (ulimit -n), or lower "
                "GRADOSCOPE_MAX_CONNECTIONS"
            )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Replaces uvicorn's, which stops listening at once, and ends by sending the signal to itself again."""
        if self._end_by is not None:
            self._end_now()
        elif self.started:
            grace = self.app.state.settings.grace_seconds
            self._end_by = self._loop.time() + grace
            self._loop.call_soon_threadsafe(self.app.state.executor.drain)
            self._loop.call_soon_threadsafe(self._loop.call_later, grace, self.app.state.downloads.close)
        else:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop listening: no requests are left, or the time is over."""
        if self._end_by is not None:
            late = self._loop.time() > self._end_by + LEEWAY_SECONDS
            self.should_exit = late or not self.server_state.tasks
        return await super().on_tick(counter)

    def _end_now(self) -> None:
        logging.getLogger("uvicorn.error").warning("Asked a second time to end: it ends as it is")
        self.app.state.executor.kill()
        logging.shutdown()
        os._exit(1)
