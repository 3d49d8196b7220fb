"""Pages for people."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from ...contract.catalogue import MethodBody
from ...contract.problems import Unavailable
from ...images.samples import samples
from ...service.executor import Executor
from ...settings import shipped
from .. import texts
from .dependencies import ExecutorOf

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
PATIENCE = 0.5  # seconds for which a page waits for what the worker knows


@router.get("/")
@router.get("/e/{id}")
async def index(request: Request) -> Response:
    """The workbench; at /e/{id} its script fetches that explanation."""
    return _page(request, "index.html")


@router.get("/methods")
async def methods(request: Request, executor: ExecutorOf) -> Response:
    """What the methods ask, how, and where they fail; with their parameters, once the worker has told them."""
    known = await _methods(executor)
    return _page(request, "methods.html", {"facts": _facts(), "samples": samples(), "methods": known})


@router.get("/trust")
async def trust(request: Request) -> Response:
    """What each number about a map says, and what it does not."""
    return _page(request, "trust.html")


@router.get("/docs")
async def docs(request: Request) -> Response:
    return _page(request, "docs.html")


async def _methods(executor: Executor) -> dict[str, MethodBody] | None:
    """The methods by id; None while the server is starting, for a text can be read meanwhile."""
    with suppress(TimeoutError, Unavailable):
        catalogue = await asyncio.wait_for(executor.catalogue(), PATIENCE)
        return {method.id: method for method in catalogue.methods}
    return None


@cache
def _facts() -> Any:
    """The numbers in the captions of /methods, as tools/make_learn.py has written them."""
    return json.loads((shipped("static") / "learn" / "facts.json").read_text("utf-8"))


def _page(request: Request, template: str, values: Mapping[str, object] | None = None) -> Response:
    response: Response = request.app.state.templates.TemplateResponse(
        request, template, dict(values or {}), headers={"cache-control": "no-cache"}
    )
    texts.remember(request, response)
    return response
