"""Lists of models, their classes, methods, metrics and samples."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from ...contract.catalogue import Methods, Metrics, Models, Samples
from ...contract.jobs import Labels, Refresh
from ...contract.predictions import Classes, LabelList
from ...contract.problems import TooManyRequests
from ...contract.server import RefreshResult
from ...images.samples import samples
from ...pipeline.presentation import FALLBACK
from ...zoo.class_names import first_name, languages, names_of
from ...zoo.labels import search
from ..openapi import describe
from ..texts import LANGUAGES
from .dependencies import ChangeDetectorDep, ExecutorDep
from .submit import run_for_client

router = APIRouter(tags=["catalogue"])


@router.get("/api/v1/models", response_model=Models)
async def models(request: Request, executor: ExecutorDep, change_detector: ChangeDetectorDep) -> Any:
    """Models, with the state of their weights and the layers that Grad-CAM can use. Changed cards are read again."""
    if not executor.unready and await asyncio.to_thread(change_detector.changed):
        with suppress(TooManyRequests):  # then the old list is better than none
            await run_for_client(request, executor, Refresh(), RefreshResult)
    return await executor.catalogue()


@router.get("/api/v1/models/{id}/classes", response_model=Classes)
async def classes(
    request: Request,
    executor: ExecutorDep,
    id: str,
    query: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    language: Annotated[str, Query(max_length=8, description="Of names beside the labels, such as zh")] = "",
) -> Any:
    """Classes of a model whose label, or name in another language, matches the query, best match first; a number
    matches the class index."""
    labels = (await executor.catalogue()).labels.get(id)
    if labels is None:  # no card has this id: the worker knows whether timm or torchvision does
        labels = tuple((await run_for_client(request, executor, Labels(id), LabelList)).labels)
    others = [names_of(labels, code) for code in languages()]
    found = await asyncio.to_thread(search, labels, query, limit, others)
    names = names_of(labels, language)  # of each class one string: its names, the usual one first
    named = ((index, label, first_name(names[index])) for index, label in found)
    return {"classes": [{"index": i, "label": label} | ({"name": name} if name else {}) for i, label, name in named]}


@router.get("/api/v1/methods", response_model=Methods)
async def methods(executor: ExecutorDep) -> Any:
    """Methods in historical order, each with the JSON Schema of its parameters."""
    return await executor.catalogue()


@router.get("/api/v1/metrics", response_model=Metrics)
async def metrics(executor: ExecutorDep) -> Any:
    """Metrics of maps, each with the JSON Schema of its parameters."""
    return await executor.catalogue()


@router.get("/api/v1/samples", response_model=Samples)
async def list_samples() -> Any:
    """Pictures that ship with the server."""
    return {"samples": [{**entry, "url": f"/static/samples/{entry['file']}"} for entry in samples().values()]}


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, executor: ExecutorDep, lang: str = FALLBACK) -> Any:
    """The OpenAPI document, with the parameters of each method and metric; summaries in the language `lang`."""
    known = None if executor.unready else await executor.catalogue()
    language = lang if lang in LANGUAGES else FALLBACK
    return describe(request.app.openapi(), known, keys=request.app.state.keys is not None, language=language)
