"""Limits the size of a request's body and the time that it may take."""

from __future__ import annotations

import asyncio
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...contract.problems import MalformedRequest, Problem, TooLarge, TooSlow, Unprocessable
from ...lab.runs.record import MAX_BYTES as RUN_BYTES
from .problems import StopOnProblem, problem_response

# by path, in bytes: whoever signs in sends a key; the file of a run, with the form around it
SMALL_BODIES = {"/api/v1/session": 4096, "/api/v1/runs": RUN_BYTES + 4096}
# bytes: neither such a form nor JSON holds a picture, and parsing it takes much longer than receiving it
MAX_URLENCODED = MAX_JSON = 2**20
PIECE = 32 * 1024  # bytes that the application parses at once; then others have their turn
CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s"';,]*)""", re.IGNORECASE)
UTF8 = ("utf-8", "utf8", "us-ascii", "ascii")


class BodyLimitMiddleware:
    """ASGI middleware: a request whose Content-Length is too large is refused before the body is read. Of other
    requests the bytes are counted as they arrive. The whole body must arrive within `seconds` after the first read.

    Bodies are handed on in pieces, so that parsing one does not keep others waiting. Text in them is UTF-8.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self.app, self.max_bytes, self.seconds = app, max_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._limit(scope["path"], headers)
        refusal = self._refusal(headers, limit)
        if refusal is not None:
            response = problem_response(refusal)
            if isinstance(
                refusal, MalformedRequest
            ):  # without a valid length nobody knows where the next request begins
                response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        body = _BodyCounter(receive, send, limit, self)
        await self.app(scope, body.receive, body.send)

    def _limit(self, path: str, headers: Headers) -> int:
        """How many bytes a body may have."""
        limit = SMALL_BODIES.get(path, self.max_bytes)
        kind = headers.get("content-type", "").strip().lower()
        small = {"application/x-www-form-urlencoded": MAX_URLENCODED, "application/json": MAX_JSON}
        return min(limit, *(most for start, most in small.items() if kind.startswith(start)), limit)

    def _refusal(self, headers: Headers, limit: int) -> Problem | None:
        """Why a request is refused because of its headers; None if it is not."""
        for charset in CHARSET.findall(headers.get("content-type", "")):
            if charset.lower() not in UTF8:
                return Unprocessable(
                    f"Content-Type: text in charset «{charset[:40]}» is not read. Send UTF-8.", field="content-type"
                )
        length = headers.get("content-length")
        if length is None:
            return None
        if "transfer-encoding" in headers:
            return MalformedRequest(
                "Content-Length and Transfer-Encoding contradict each other. Send one of them.", field="content-length"
            )
        if not length.isdecimal():
            return MalformedRequest("Content-Length is no number of bytes.", field="content-length")
        return self.too_large(limit) if len(length) > 20 or int(length) > limit else None

    def too_large(self, limit: int) -> TooLarge:
        """The problem of a body that is larger than its limit."""
        if limit < self.max_bytes:
            return TooLarge(f"The request is larger than {limit:,} bytes. Send less, or a form as multipart/form-data.")
        problem = TooLarge(f"The request is larger than {limit:,} bytes. Send a smaller picture.", field="image")
        return problem.coded("picture_bytes", limit=limit)


class _BodyCounter:
    """Wraps `receive` and `send` of one request, and stops a body that is too long or too slow."""

    def __init__(self, receive: Receive, send: Send, max_bytes: int, limits: BodyLimitMiddleware) -> None:
        self._receive, self._send, self._max_bytes, self._limits = receive, send, max_bytes, limits
        self._received = 0
        self._rest: Message | None = None  # what is left of the last message
        self._deadline: float | None = None
        self._complete = self._response_started = False

    async def send(self, message: Message) -> None:
        self._response_started = True
        await self._send(message)

    async def receive(self) -> Message:
        """The next part of the body. Raises `StopOnProblem` if it is too long or too slow."""
        if self._rest is not None:
            await asyncio.sleep(0)
            return self._piece_of(self._rest)
        if self._complete:
            return await self._receive()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._limits.seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            return self._stop(too_slow(self._limits.seconds))
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._received > self._max_bytes:
            return self._stop(self._limits.too_large(self._max_bytes))
        return self._piece_of(message)

    def _piece_of(self, message: Message) -> Message:
        """The first `PIECE` bytes of a message; the rest waits for the next call."""
        body = message.get("body", b"")
        if len(body) <= PIECE:
            self._rest = None
            return message
        self._rest = {**message, "body": body[PIECE:]}
        return {**message, "body": body[:PIECE], "more_body": True}

    def _stop(self, problem: Problem) -> Message:
        """Raise `StopOnProblem`; after the response has started, return a disconnect message instead."""
        if self._response_started:  # too late for another response: tell the application that the client has left
            return {"type": "http.disconnect"}
        raise StopOnProblem(problem)


def too_slow(seconds: float) -> TooSlow:
    return TooSlow(f"The request's body was not here within {seconds:g} s. Send a smaller picture, or send it faster.")
