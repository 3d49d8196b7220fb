"""Adds security headers to every response, and answers unexpected errors with a problem."""

from __future__ import annotations

import logging

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...contract.problems import ComputationFailed
from .problems import problem_response

log = logging.getLogger(__name__)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
# Only HTML pages need these; a first visit has forty responses, so every header counts.
PAGE_HEADERS = {
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class SecurityHeadersMiddleware:
    """ASGI middleware around the others, so that their error responses have the headers too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                add_security_headers(MutableHeaders(scope=message))
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            if started:
                raise  # the connection is closed: the client sees that the response is incomplete
            log.exception("unexpected")
            problem = ComputationFailed("Something in the server went wrong; its log has the details.")
            problem.status = 500
            await problem_response(problem)(scope, receive, send_with_headers)


def add_security_headers(headers: MutableHeaders) -> None:
    """Add the headers that are missing."""
    document = headers.get("content-type", "").startswith("text/html")
    for name, value in (SECURITY_HEADERS | PAGE_HEADERS if document else SECURITY_HEADERS).items():
        headers.setdefault(name, value)
