"""Browser sessions: the page sends an API key once and gets a cookie, which images and downloads then use."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from ...contract.problems import NotFound, Unauthorized
from ...contract.server import SessionBody
from ..middleware.api_key import HOW_TO_SEND
from ..middleware.keys import Keys
from ..middleware.sessions import COOKIE, SECONDS, Sessions
from .forms import FormRoute
from .uploads import only_fields

router = APIRouter(prefix="/api/v1/session", tags=["session"], route_class=FormRoute)


@router.post("", response_model=SessionBody, dependencies=[only_fields("key")])
async def begin(
    request: Request,
    response: Response,
    key: Annotated[str, Form(min_length=1, max_length=512, description="An API key")],
) -> SessionBody:
    """Set a cookie that stands for an API key for a week: HttpOnly, and sent to this site only."""
    keys: Keys | None = request.app.state.keys
    sessions: Sessions = request.app.state.sessions
    if keys is None:
        raise NotFound("This server asks for no API key.")
    found = keys.find(key.strip())
    if found is None:
        raise Unauthorized(f"This API key is not known here. {HOW_TO_SEND}", field="key")
    response.set_cookie(
        COOKIE,
        sessions.create(found),
        max_age=SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    response.headers["cache-control"] = "no-store"
    return SessionBody(name=found.name)


@router.delete("", status_code=204)
async def end(request: Request, response: Response) -> None:
    """End the session of this browser, on the server too: a copy of its cookie is worthless afterwards."""
    sessions: Sessions | None = request.app.state.sessions
    if sessions is not None:
        sessions.end(request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
