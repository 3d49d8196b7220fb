"""Problems as HTTP responses."""

from __future__ import annotations

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from ...contract.problems import Problem


class StopOnProblem(HTTPException):
    """A problem that occurs while a body is read: FastAPI lets only this kind of exception pass there."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.status, problem.detail)
        self.problem = problem


class ProblemResponse(JSONResponse):
    """A response as in RFC 9457; with Retry-After if the problem says when to try again."""

    def __init__(self, problem: Problem) -> None:
        headers = dict(problem.headers)
        if problem.retry_after is not None:
            headers["retry-after"] = str(problem.retry_after)
        super().__init__(problem.to_dict(), problem.status, headers, media_type="application/problem+json")
        self._title = problem.title

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["problem"] = self._title  # for the access log
        await super().__call__(scope, receive, send)


def problem_response(problem: Problem) -> ProblemResponse:
    return ProblemResponse(problem)
