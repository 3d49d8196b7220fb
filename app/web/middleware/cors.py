"""CORS for pages of the origins that the operator has allowed."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from ...contract.problems import Forbidden
from .problems import problem_response

ALLOWED_HEADERS = ("authorization", "content-type", "x-api-key")
EXPOSED_HEADERS = ("location", "retry-after", "x-request-id", "x-scale")  # x-scale: of a map in float16
MAX_AGE_SECONDS = 600


class CORSHeadersMiddleware(CORSMiddleware):
    """Starlette's CORS middleware with problems as error responses. No cookies: such pages send a key in a header."""

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        super().__init__(
            app,
            allow_origins=list(origins),
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=ALLOWED_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            max_age=MAX_AGE_SECONDS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        problem = Forbidden(
            "Pages of this origin may not ask that here. The operator can allow an origin by GRADOSCOPE_CORS_ORIGINS."
        )
        refusal = problem_response(problem)
        refusal.headers["vary"] = "Origin"
        return refusal
