"""Renders results in a small pool of threads, and sends them piece by piece.

A result can be a hundred megabytes large. So few are made at a time, and a slow reader holds one piece in the socket's
buffer instead of a copy of the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ...contract.problems import TooManyRequests
from .submit import while_connected

T = TypeVar("T")
THREADS = 2  # renderings at a time
MAX_WAITING = 64  # renderings that wait for a thread; one more is answered 429
PIECE = 64 * 1024  # bytes that are handed to the socket at once


class RenderPool:
    """The threads that render results. A rendering whose client leaves while it waits is not made."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="render")
        self._waiting = 0

    async def make(self, request: Request, work: Callable[[], T]) -> T:
        """The result of `work`, for a client who waits. Raises `TooManyRequests`, `ClientLeft`."""
        return await while_connected(request, self.run(work))

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`. Raises `TooManyRequests`."""
        if self._waiting >= THREADS + MAX_WAITING:
            raise TooManyRequests("Too many results are being rendered. Try again in some seconds.", retry_after=2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    async def pieces(self, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
        """The parts that an iterator makes, each in the pool when the one before has been taken."""
        while (part := await self.run(lambda: next(parts, None))) is not None:
            for piece in in_pieces(part):
                yield piece

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class PiecewiseResponse(Response):
    """A response whose body is handed to the socket piece by piece, as fast as the client reads."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in in_pieces(bytes(self.body)):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if self.background is not None:
            await self.background()


class StreamedResponse(StreamingResponse):
    """A response of parts that are made one after the other. The first `PIECE` bytes are made before the status line is
    sent, so that a problem with them can still be told."""

    @classmethod
    async def of(
        cls, request: Request, render_pool: RenderPool, parts: Generator[bytes, None, None], headers: dict[str, str]
    ) -> StreamedResponse:
        """Raises what making the first parts raises."""

        def begin() -> bytes:
            made = bytearray()
            for part in parts:
                made += part
                if len(made) >= PIECE:
                    break
            return bytes(made)

        first = await render_pool.make(request, begin)

        async def body() -> AsyncIterator[bytes]:
            try:
                for piece in in_pieces(first):
                    yield piece
                async for piece in render_pool.pieces(parts):
                    yield piece
            finally:
                with suppress(ValueError):  # a thread is making the next part: it ends with that
                    parts.close()

        return cls(body(), headers=headers)


def in_pieces(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for start in range(0, len(data), PIECE):
        yield bytes(view[start : start + PIECE])
