"""Security headers on every answer, and an answer where nobody has foreseen what happened."""

from __future__ import annotations

import logging

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...contract.problems import ComputationFailed
from .problems import problem_response

log = logging.getLogger(__name__)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
# These say something of documents only, and headers count: a first visit has forty answers.
OF_DOCUMENTS = {
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class SecurityHeadersMiddleware:
    """ASGI middleware, around all others: their refusals have the headers too, and so have their failures."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def secured(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                secure(MutableHeaders(scope=message))
            await send(message)

        try:
            await self.app(scope, receive, secured)
        except Exception:
            if started:
                raise  # the connection is closed: whoever reads sees that the answer is not whole
            log.exception("unexpected")
            problem = ComputationFailed("Something in the server went wrong; its log has the details.")
            problem.status = 500
            await problem_response(problem)(scope, receive, secured)


def secure(headers: MutableHeaders) -> None:
    """Add what is missing."""
    document = headers.get("content-type", "").startswith("text/html")
    for name, value in (SECURITY | OF_DOCUMENTS if document else SECURITY).items():
        headers.setdefault(name, value)
