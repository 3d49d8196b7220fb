"""Problems as answers."""

from __future__ import annotations

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from ...contract.problems import Problem


class StopOnProblem(HTTPException):
    """A problem that shows while a body is being read: the one kind of exception that FastAPI lets pass there."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.status, problem.detail)
        self.problem = problem


class ProblemResponse(JSONResponse):
    """RFC 9457, with Retry-After where the problem knows when it will be over."""

    def __init__(self, problem: Problem) -> None:
        headers = dict(problem.headers)
        if problem.retry_after is not None:
            headers["retry-after"] = str(problem.retry_after)
        super().__init__(problem.to_dict(), problem.status, headers, media_type="application/problem+json")
        self._title = problem.title

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["problem"] = self._title  # to be counted
        await super().__call__(scope, receive, send)


def problem_response(problem: Problem) -> ProblemResponse:
    return ProblemResponse(problem)
