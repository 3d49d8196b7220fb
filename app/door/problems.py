"""Problems as answers."""

from __future__ import annotations

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ..errors import Problem


class Stopped(HTTPException):
    """A problem that shows while a body is being read: the one kind of exception that FastAPI lets pass there."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.status, problem.detail)
        self.problem = problem


def problem_response(problem: Problem) -> JSONResponse:
    """RFC 9457, with Retry-After where the problem knows when it will be over."""
    headers = dict(problem.headers)
    if problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    return JSONResponse(problem.as_dict(), problem.status, headers, media_type="application/problem+json")
