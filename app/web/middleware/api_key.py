"""Where API keys are asked for: whoever shows none, or a wrong one, comes no further."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from ...contract.problems import Unauthorized
from .keys import Keys
from .problems import problem_response
from .sessions import COOKIE, Sessions

OPEN = ("/", "/methods", "/trust", "/docs", "/openapi.json", "/healthz", "/readyz", "/api/v1/session")
OPEN_UNDER = ("/static/", "/e/")  # files that ship, and a page that knows nothing yet
HOW = "Send it as «Authorization: Bearer KEY» or «X-API-Key: KEY»; the operator of this server gives keys."


class ApiKeyMiddleware:
    """ASGI middleware: sets `request.state.client` and `.owner` to the name of the key; 401 where there is none."""

    def __init__(self, app: ASGIApp, keys: Keys, sessions: Sessions) -> None:
        self.app, self._keys, self._sessions = app, keys, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN or scope["path"].startswith(OPEN_UNDER):
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        given = shown(connection)
        key = self._sessions.find(connection.cookies.get(COOKIE, "")) if given is None else self._keys.find(given)
        if key is None:
            said = "An API key is needed" if given is None else "This API key is not known here"
            await problem_response(Unauthorized(f"{said}. {HOW}"))(scope, receive, send)
            return
        scope["state"] |= {"client": key.name, "owner": key.name}
        await self.app(scope, receive, send)


def shown(connection: HTTPConnection) -> str | None:
    """The key in a request's headers; None where there is none."""
    kind, _, credentials = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return credentials.strip()
    return connection.headers.get("x-api-key")
