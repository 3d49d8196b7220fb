"""Protects against other web sites that send requests through a user's browser.

Listening on loopback is not enough: any web site can send a POST there, and DNS rebinding lets it read the responses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ...contract.problems import Forbidden, Problem, VersionNotSupported, WrongHost
from .problems import problem_response

HTTP_VERSIONS = ("1.0", "1.1", "2", "3")
# a Host header is a name or an address, and maybe a port (RFC 9110, 7.2): no user, no path
HOST = re.compile(r"(?P<name>[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{0,5}))?")
MAX_PORT = 65_535
CHANGING_METHODS = ("POST", "PUT", "PATCH", "DELETE")
RESULTS_PREFIX = "/api/v1/explanations/"


class HostOriginMiddleware:
    """ASGI middleware: an allow-list of Host names; POST and DELETE that a browser marks as cross-site are refused, and
    so are GETs of results, which are large and cost time, unless the user follows a link to one.

    Requests from pages of `origins` are allowed (CORS).
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Iterable[str], origins: Iterable[str] = ()) -> None:
        self.app = app
        self.allowed = frozenset(host.lower() for host in allowed_hosts)
        self.origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope, Headers(scope=scope)) if scope["type"] == "http" else None
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await problem_response(refusal)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        if scope.get("http_version", "1.1") not in HTTP_VERSIONS:
            return VersionNotSupported(f"HTTP/{scope['http_version']} is not spoken here. Send HTTP/1.1.")
        host = hostname(headers.get("host", ""))
        if "*" not in self.allowed and host not in self.allowed:
            return WrongHost(
                f"This server does not answer under the name «{(host or '')[:80]}». Its operator can allow it by "
                "GRADOSCOPE_ALLOWED_HOSTS."
            )
        if scope["method"] in CHANGING_METHODS:
            refused = _cross_site(headers)
        else:  # programs on other ports of the same machine, such as a notebook, may show results
            refused = (
                scope["path"].startswith(RESULTS_PREFIX)
                and headers.get("sec-fetch-site") != "same-site"
                and _cross_site(headers)
                and not _followed_link(headers)
            )
        if refused and headers.get("origin") not in self.origins:
            return Forbidden(
                "Requests that another web site makes are refused. Send it from this site, or from a shell; the "
                "operator can allow a site by GRADOSCOPE_CORS_ORIGINS."
            )
        return None


def hostname(header: str) -> str | None:
    """The name in a Host header, in lower case and without its port; None if it is missing or malformed."""
    match = HOST.fullmatch(header)
    if match is None or int(match["port"] or 0) > MAX_PORT:
        return None
    return match["name"].strip("[]").lower()


def _cross_site(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")  # older browsers send no Sec-Fetch-Site
    return origin is not None and _netloc(origin) != headers.get("host")


def _followed_link(headers: Headers) -> bool:
    """Whether the user has followed a link, so that one result is opened in a tab of its own."""
    sent = tuple(headers.get(f"sec-fetch-{name}") for name in ("mode", "dest", "user"))
    return sent == ("navigate", "document", "?1")


def _netloc(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None
