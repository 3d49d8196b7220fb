"""Pages of other origins, where the operator has named them."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from ...contract.problems import Forbidden
from .problems import problem_response

ASKED = ("authorization", "content-type", "x-api-key")
TOLD = ("location", "retry-after", "x-request-id", "x-scale")
SECONDS = 600


class CORSHeadersMiddleware(CORSMiddleware):
    """Starlette's, whose refusals are problems here. Cookies do not go along: such pages show a key in a header."""

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        super().__init__(
            app,
            allow_origins=list(origins),
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=ASKED,
            expose_headers=TOLD,
            max_age=SECONDS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        refused = Forbidden(
            "Pages of this origin may not ask that here. The operator can allow an origin by GRADOSCOPE_CORS_ORIGINS."
        )
        answer = problem_response(refused)
        answer.headers["vary"] = "Origin"
        return answer
