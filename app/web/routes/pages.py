"""The HTML pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from ...contract.catalogue import Catalogue
from ...contract.problems import Unavailable
from ...images.samples import samples
from ...lab.runs.record import MAX_BYTES
from ...lab.worded import PAPERS, RUN
from ...pipeline.presentation import FALLBACK
from ...pipeline.texts import texts as texts_of
from ...service.executor import Executor
from ...settings import shipped
from .. import texts
from ..lab_pages import lab_pages
from ..plugin_pages import method_pages, metric_pages, plugin_block, preview_methods
from .dependencies import ExecutorDep, SettingsDep

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
CATALOGUE_SECONDS = 0.5  # seconds that a page waits for the catalogue
START = ("js/page/main.js",)  # the scripts that a browser fetches at once
SAMPLE_RUNS = ("trouble", "healthy")  # static/runs/, made by tools/make_sample_runs.py
OPENED = ("js/page/workbench.js", *START)  # … where an explanation is opened


@router.get("/")
@router.get("/e/{id}")
async def index(request: Request, settings: SettingsDep) -> Response:
    """The workbench; at /e/{id} its script fetches that explanation."""
    limits = {"max_pixels": settings.max_pixels, "max_bytes": settings.max_upload}
    opening = request.path_params.get("id")
    values = {
        "opening": opening,
        "sheets": sheets()["workbench"],
        "scripts": OPENED if opening else START,
        "previews": preview_methods(),  # whose maps of a sample the empty page shows
        "plugins": plugin_block(),  # the ids of methods and metrics, for the script
    }
    return _page(request, "index.html", {**values, **limits})


@router.get("/methods")
async def methods(request: Request, executor: ExecutorDep) -> Response:
    """The page about the methods: what each computes, and its limits; its parameters once the catalogue is there."""
    known = await _known(executor)
    listed = None if known is None else [method.to_dict() for method in known.methods]
    records = None if listed is None else {method["id"]: method for method in listed}
    values = {"facts": _facts(), "samples": samples(), "methods": records, **method_pages(listed)}
    return _page(request, "methods.html", values)


@router.get("/trust")
async def trust(request: Request, executor: ExecutorDep) -> Response:
    """What each number about a map says, and what it does not."""
    known = await _known(executor)
    return _page(
        request,
        "trust.html",
        {**metric_pages(None if known is None else [metric.to_dict() for metric in known.metrics])},
    )


@router.get("/lab")
async def lab(request: Request) -> Response:
    """The questions of the lab."""
    return _page(request, "lab.html", {"experiments": lab_pages()})


@router.get("/lab/run")
async def run(request: Request) -> Response:
    """A training loop of the visitor's own, as a file that is chosen or dropped."""
    start = f"lab.{RUN.id}.figure."
    figures = [key.removeprefix(start) for key in texts_of(FALLBACK) if key.startswith(start)]
    values = {"figures": figures, "samples": SAMPLE_RUNS, "most": MAX_BYTES, "papers": [asdict(one) for one in PAPERS]}
    return _page(request, "run.html", values)


@router.get("/lab/{id}")
async def experiment(request: Request, id: str) -> Response:
    """One experiment: its question, controls and figures; the script computes them."""
    pages = lab_pages()
    place = next((place for place, each in enumerate(pages) if each.id == id), None)
    if place is None:
        raise HTTPException(404)
    following = pages[(place + 1) % len(pages)]
    return _page(request, "experiment.html", {"experiment": pages[place], "following": following})


@router.get("/docs")
async def docs(request: Request) -> Response:
    return _page(request, "docs.html")


def asked_for_page(request: Request) -> bool:
    """Whether a browser opens the address, as opposed to a script or a client that reads problems."""
    path, accepted = request.url.path, request.headers.get("accept", "")
    return request.method in ("GET", "HEAD") and "text/html" in accepted and not path.startswith(("/api/", "/static/"))


async def lost(request: Request) -> Response:
    """A page that says that nothing is at this address, with status 404."""
    response = _page(request, "lost.html", {"path": request.url.path[:200]})
    response.status_code = 404
    response.headers["vary"] = f"{texts.VARY}, Accept"
    return response


async def _known(executor: Executor) -> Catalogue | None:
    """The catalogue; None while the server is starting, so that the page is shown without it."""
    with suppress(TimeoutError, Unavailable):
        return await asyncio.wait_for(executor.catalogue(), CATALOGUE_SECONDS)
    return None


@cache
def sheets() -> dict[str, list[str]]:
    """Style sheets that a page gets in one file, by its name; last the one whose rules are to win."""
    found: dict[str, list[str]] = json.loads((shipped("static") / "css" / "sheets.json").read_text("utf-8"))
    return found


@cache
def _facts() -> Any:
    """The numbers in those captions of /methods that belong to no single method, written by tools/make_learn."""
    return json.loads((shipped("static") / "learn" / "facts.json").read_text("utf-8"))


def _page(request: Request, template: str, values: Mapping[str, object] | None = None) -> Response:
    response: Response = request.app.state.templates.TemplateResponse(
        request, template, dict(values or {}), headers={"cache-control": "no-cache"}
    )
    texts.set_language_headers(request, response)
    return response
