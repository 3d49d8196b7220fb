"""The HTML pages."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from ...contract.problems import Unavailable
from ...images.samples import samples
from ...service.executor import Executor
from ...settings import shipped
from .. import texts
from .dependencies import ExecutorOf

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
CATALOGUE_SECONDS = 0.5  # seconds that a page waits for the catalogue


@router.get("/")
@router.get("/e/{id}")
async def index(request: Request) -> Response:
    """The workbench. At /e/{id} its script fetches that explanation."""
    return _page(request, "index.html")


@router.get("/methods")
async def methods(request: Request, executor: ExecutorOf) -> Response:
    """How the methods work and where they fail; with their parameters, if the worker has started."""
    known = await _methods(executor)
    return _page(request, "methods.html", {"facts": _facts(), "samples": samples(), "methods": known})


@router.get("/trust")
async def trust(request: Request) -> Response:
    """What each metric of a map says, and what it does not."""
    return _page(request, "trust.html")


@router.get("/docs")
async def docs(request: Request) -> Response:
    return _page(request, "docs.html")


async def _methods(executor: Executor) -> dict[str, Any] | None:
    """The methods by id; None while the worker is starting: the text can be read meanwhile."""
    with suppress(TimeoutError, Unavailable):
        catalogue = await asyncio.wait_for(executor.catalogue(), CATALOGUE_SECONDS)
        return {method["id"]: method for method in catalogue["methods"]}
    return None


@cache
def _facts() -> Any:
    """The numbers in the captions of /methods, written by tools/make_learn.py."""
    return json.loads((shipped("static") / "learn" / "facts.json").read_text("utf-8"))


def _page(request: Request, template: str, values: dict[str, Any] | None = None) -> Response:
    response: Response = request.app.state.templates.TemplateResponse(
        request, template, values, headers={"cache-control": "no-cache"}
    )
    texts.set_language_headers(request, response)
    return response
