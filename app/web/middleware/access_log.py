"""Gives each request an id, logs it, and counts it."""

from __future__ import annotations

import logging
import time
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...contract import request_id
from ...service.telemetry import Telemetry

log = logging.getLogger("gradoscope.access")
QUIET = ("/healthz", "/readyz", "/metrics")  # requested every few seconds by monitoring
QUIET_UNDER = "/static/"
CLIENT_LEFT = 499  # the client left before the response
LONGEST_PATH = 300


class AccessLogMiddleware:
    """ASGI middleware, around all others: sets `request.state.request_id`, and the header `X-Request-ID` of the
    response.

    A valid id that comes with the request is kept, so that one id can go through several services.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        id = request_id.valid_or_new(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = id
        metrics = telemetry_of(scope)
        metrics.request_started()
        response = _ResponseLog(scope, send, id)
        with request_id.as_current(id):
            try:
                await self.app(scope, receive, response.send)
            finally:
                response.finish(metrics)


class _ResponseLog:
    """Observes one response while it is sent."""

    def __init__(self, scope: Scope, send: Send, id: str) -> None:
        self._scope, self._send, self._id = scope, send, id
        self._began = time.monotonic()
        self._status, self._bytes = CLIENT_LEFT, 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            MutableHeaders(scope=message)["x-request-id"] = self._id
        elif message["type"] == "http.response.body":
            self._bytes += len(message.get("body", b""))
        await self._send(message)

    def finish(self, metrics: Telemetry) -> None:
        """Write the log line, and count the request."""
        scope, status, seconds = self._scope, self._status, time.monotonic() - self._began
        metrics.request_answered(route_of(scope), scope["method"], status, seconds)
        if "problem" in scope["state"]:
            metrics.request_refused(scope["state"]["problem"], status)
        fields = {
            "method": scope["method"],
            "path": quote(scope["path"])[:LONGEST_PATH],
            "status": status,
            "seconds": round(seconds, 4),
            "bytes": self._bytes,
            "client": scope["state"].get("client", ""),
        }
        quiet = scope["path"] in QUIET or scope["path"].startswith(QUIET_UNDER)
        level = logging.DEBUG if quiet and status < 500 else logging.INFO
        log.log(
            level, "%(method)s %(path)s %(status)d, %(seconds).3f s, %(bytes)d bytes, %(client)s", fields, extra=fields
        )


def route_of(scope: Scope) -> str:
    """The template of the path, so that there are few of them; what fits none is `unmatched`."""
    if scope["path"].startswith("/static/"):
        return "/static"
    return str(getattr(scope.get("route"), "path", "unmatched"))


def telemetry_of(scope: Scope) -> Telemetry:
    return scope["app"].state.executor.telemetry  # type: ignore[no-any-return]
