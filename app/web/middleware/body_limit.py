"""How long a request's body may be, and how long it may take."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...contract.problems import MalformedRequest, Problem, TooLarge, TooSlow
from .problems import StopOnProblem, problem_response


class BodyLimitMiddleware:
    """ASGI middleware: a body that says of itself that it is too long is refused before it is read; one that does not
    is counted. All of it has to be here `seconds` after it was first asked for."""

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self.app, self.max_bytes, self.seconds = app, max_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            response = problem_response(refusal)
            if isinstance(refusal, MalformedRequest):  # where the next request begins is not known
                response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        body = _Body(receive, send, self)
        await self.app(scope, body.receive, body.send)

    def _refusal(self, headers: Headers) -> Problem | None:
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


class _Body:
    """The body of one request on its way in."""

    def __init__(self, receive: Receive, send: Send, bounds: BodyLimitMiddleware) -> None:
        self._receive, self._send, self._bounds = receive, send, bounds
        self._taken = 0
        self._deadline: float | None = None
        self._whole = self._answered = False

    async def send(self, message: Message) -> None:
        self._answered = True
        await self._send(message)

    async def receive(self) -> Message:
        """The next piece. Raises `StopOnProblem` where there are too many, or they come too slowly."""
        if self._whole:
            return await self._receive()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._bounds.seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            return self._stop(too_slow(self._bounds.seconds))
        self._taken += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message if self._taken <= self._bounds.max_bytes else self._stop(too_large(self._bounds.max_bytes))

    def _stop(self, problem: Problem) -> Message:
        if self._answered:  # too late for another answer: to the application the client has gone
            return {"type": "http.disconnect"}
        raise StopOnProblem(problem)


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request is larger than {limit:,} bytes. Send a smaller picture.", field="image")


def too_slow(seconds: float) -> TooSlow:
    return TooSlow(f"The request's body was not here within {seconds:g} s. Send a smaller picture, or send it faster.")
