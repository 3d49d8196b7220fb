"""Pages for people."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
@router.get("/e/{id}")
async def index(request: Request) -> Response:
    """The workbench; at /e/{id} its script fetches that explanation."""
    return _page(request, "index.html")


@router.get("/docs")
async def docs(request: Request) -> Response:
    return _page(request, "docs.html")


def _page(request: Request, template: str) -> Response:
    return request.app.state.templates.TemplateResponse(  # type: ignore[no-any-return]
        request, template, headers={"cache-control": "no-cache"}
    )
