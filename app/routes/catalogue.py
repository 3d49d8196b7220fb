"""What there is: models, their classes, methods, samples."""

from __future__ import annotations

import asyncio
import copy
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from ..door.gate import OPEN
from ..errors import TooManyRequests
from ..samples import samples
from ..schemas import Classes, Methods, Models, Samples
from ..service.jobs import Labels, Refresh
from ..zoo.labels import search
from .asking import answer
from .dependencies import ExecutorOf, FreshnessOf

router = APIRouter(tags=["catalogue"])


@router.get("/api/v1/models", response_model=Models)
async def models(request: Request, executor: ExecutorOf, freshness: FreshnessOf) -> Any:
    """Models, with where their weights are and the layers that Grad-CAM can take. Cards are read anew if need be."""
    if not executor.unready and await asyncio.to_thread(freshness.changed):
        with suppress(TooManyRequests):  # then the list as it was is better than none
            await answer(request, executor, Refresh())
    return await executor.catalogue()


@router.get("/api/v1/models/{id}/classes", response_model=Classes)
async def classes(
    request: Request,
    executor: ExecutorOf,
    id: str,
    query: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
) -> Any:
    """Classes of a model whose label matches, best match first; a number matches as an index."""
    labels = tuple((await answer(request, executor, Labels(id)))["labels"])
    return {"classes": [{"index": index, "label": label} for index, label in search(labels, query, limit)]}


@router.get("/api/v1/methods", response_model=Methods)
async def methods(executor: ExecutorOf) -> Any:
    """Methods in historical order, each with the JSON Schema of its parameters."""
    return await executor.catalogue()


@router.get("/api/v1/samples", response_model=Samples)
async def list_samples() -> Any:
    """Pictures that ship with the server."""
    return {"samples": [{**entry, "url": f"/static/samples/{entry['file']}"} for entry in samples().values()]}


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, executor: ExecutorOf) -> Any:
    """The OpenAPI document, with the parameters of each method as it declares them."""
    document = copy.deepcopy(request.app.openapi())
    forms = {name: schema for name, schema in document["components"]["schemas"].items() if name.startswith("Body_")}
    for form in forms.values():
        form["properties"] = {name: _without_null(field) for name, field in form["properties"].items()}
        if "image" in form["properties"]:
            form["properties"]["image"] = {**form["properties"]["image"], "format": "binary"}
    if request.app.state.keys:
        _ask_for_keys(document)
    for operation in (one for verbs in document["paths"].values() for one in verbs.values()):
        for status, response in operation["responses"].items():
            if status in ("4XX", "5XX"):  # FastAPI knows models as application/json only
                response["content"] = {"application/problem+json": response["content"]["application/json"]}
    if not executor.unready:
        options = {entry["id"]: entry["parameters"] for entry in (await executor.catalogue())["methods"]}
        for form in forms.values():
            if "options" in form["properties"]:
                form["properties"]["options"] |= {
                    "contentMediaType": "application/json",
                    "contentSchema": {"type": "object", "properties": options, "additionalProperties": False},
                }
    return document


def _ask_for_keys(document: dict[str, Any]) -> None:
    """Say in the document where a key is asked for, and how it is shown."""
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    document["security"] = [{"bearer": []}, {"header": []}]
    for path in OPEN:
        for operation in document["paths"].get(path, {}).values():
            operation["security"] = []


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """A form's field is there or it is not: it is never null, and file choosers do not understand that it might be."""
    if "anyOf" not in field:
        return field
    (kind,) = (one for one in field["anyOf"] if one != {"type": "null"})
    return {**{name: value for name, value in field.items() if name != "anyOf"}, **kind}
