"""Keeps strangers out, and puts the security headers on every answer.

Loopback alone is not safe: any web site can send a POST there, and DNS rebinding lets it read the answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import Forbidden, Problem, TooLarge, WrongHost

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
CHANGING = ("POST", "PUT", "PATCH", "DELETE")


class Guard:
    """ASGI middleware: an allow-list of Host names; POST and DELETE that a browser marks as cross-site are refused.

    A body that says of itself that it is too long is refused before it is read; one that does not is counted.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Iterable[str], max_body: int) -> None:
        self.app, self.max_body = app, max_body
        self.allowed = frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is None:
            await self.app(scope, self._counted(receive), secured)
        else:
            await problem_response(refusal)(scope, receive, secured)

    def _counted(self, receive: Receive) -> Receive:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.max_body:
                raise HTTPException(413)  # the one kind of exception that FastAPI lets pass while it reads a form
            return message

        return counted

    def _refusal(self, method: str, headers: Headers) -> Problem | None:
        host = hostname(f"//{headers.get('host', '')}")
        if "*" not in self.allowed and host not in self.allowed:
            return WrongHost(
                f"This server does not answer under the name «{(host or '')[:80]}». Its operator can allow it by "
                "GRADOSCOPE_ALLOWED_HOSTS."
            )
        if method in CHANGING and _cross_site(headers):
            return Forbidden(
                "Requests that another web site makes are refused. Send it from this site, or from a shell."
            )
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self.max_body:
            return too_large(self.max_body)
        return None


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request is larger than {limit:,} bytes. Send a smaller picture.")


def hostname(url: str) -> str | None:
    """The host in a URL, without its port; None where there is none or it is malformed."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
        return parts.hostname
    except ValueError:
        return None


def _cross_site(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")  # older browsers send no Sec-Fetch-Site
    return origin is not None and _netloc(origin) != headers.get("host")


def _netloc(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None


def problem_response(problem: Problem) -> JSONResponse:
    """RFC 9457, with Retry-After where the problem knows when it will be over."""
    headers = {} if problem.retry_after is None else {"retry-after": str(problem.retry_after)}
    return JSONResponse(problem.as_dict(), problem.status, headers, media_type="application/problem+json")
