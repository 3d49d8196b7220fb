"""Limits the size of a request's body and the time that it may take."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...contract.problems import MalformedRequest, Problem, TooLarge, TooSlow
from .problems import StopOnProblem, problem_response


class BodyLimitMiddleware:
    """ASGI middleware: a request whose Content-Length is too large is refused before the body is read. Of other
    requests the bytes are counted as they arrive. The whole body must arrive within `seconds` after the first read."""

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self.app, self.max_bytes, self.seconds = app, max_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            response = problem_response(refusal)
            if isinstance(
                refusal, MalformedRequest
            ):  # without a valid length nobody knows where the next request begins
                response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        body = _BodyCounter(receive, send, self)
        await self.app(scope, body.receive, body.send)

    def _refusal(self, headers: Headers) -> Problem | None:
        """Why a request is refused because of its headers; None if it is not."""
        length = headers.get("content-length")
        if length is None:
            return None
        if "transfer-encoding" in headers:
            return MalformedRequest(
                "Content-Length and Transfer-Encoding contradict each other. Send one of them.", field="content-length"
            )
        if not length.isdecimal():
            return MalformedRequest("Content-Length is no number of bytes.", field="content-length")
        return too_large(self.max_bytes) if len(length) > 20 or int(length) > self.max_bytes else None


class _BodyCounter:
    """Wraps `receive` and `send` of one request, and stops a body that is too long or too slow."""

    def __init__(self, receive: Receive, send: Send, limits: BodyLimitMiddleware) -> None:
        self._receive, self._send, self._limits = receive, send, limits
        self._received = 0
        self._deadline: float | None = None
        self._complete = self._response_started = False

    async def send(self, message: Message) -> None:
        self._response_started = True
        await self._send(message)

    async def receive(self) -> Message:
        """The next part of the body. Raises `StopOnProblem` if it is too long or too slow."""
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
        return message if self._received <= self._limits.max_bytes else self._stop(too_large(self._limits.max_bytes))

    def _stop(self, problem: Problem) -> Message:
        """Raise `StopOnProblem`; after the response has started, return a disconnect message instead."""
        if self._response_started:  # too late for another response: tell the application that the client has left
            return {"type": "http.disconnect"}
        raise StopOnProblem(problem)


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request is larger than {limit:,} bytes. Send a smaller picture.", field="image")


def too_slow(seconds: float) -> TooSlow:
    return TooSlow(f"The request's body was not here within {seconds:g} s. Send a smaller picture, or send it faster.")
