"""Checks API keys, if the server has any: a request without a valid key is refused."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from ...contract.problems import Unauthorized
from .keys import Keys
from .problems import problem_response
from .sessions import COOKIE, Sessions

PUBLIC_PATHS = ("/", "/methods", "/trust", "/lab", "/docs", "/openapi.json", "/healthz", "/readyz", "/api/v1/session")
PUBLIC_PREFIXES = ("/static/", "/e/", "/lab/")  # shipped files, and pages that contain no explanation
HOW_TO_SEND = "Send it as «Authorization: Bearer KEY» or «X-API-Key: KEY»; the operator of this server gives keys."


class ApiKeyMiddleware:
    """ASGI middleware: answers 401 if a request has no valid key; else sets `request.state.client` and `.owner`
    to the name of the key's owner. Without a key in the headers, the session cookie counts."""

    def __init__(self, app: ASGIApp, keys: Keys, sessions: Sessions) -> None:
        self.app, self._keys, self._sessions = app, keys, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PUBLIC_PATHS or scope["path"].startswith(PUBLIC_PREFIXES):
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        given = key_in_headers(connection)
        key = self._sessions.find(connection.cookies.get(COOKIE, "")) if given is None else self._keys.find(given)
        if key is None:
            reason = "An API key is needed" if given is None else "This API key is not known here"
            await problem_response(Unauthorized(f"{reason}. {HOW_TO_SEND}"))(scope, receive, send)
            return
        scope["state"] |= {"client": key.name, "owner": key.name}
        await self.app(scope, receive, send)


def key_in_headers(connection: HTTPConnection) -> str | None:
    """The key in a request's headers, valid or not; None if there is none."""
    kind, _, credentials = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return credentials.strip()
    return connection.headers.get("x-api-key")
