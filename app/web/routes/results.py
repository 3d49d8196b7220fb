"""The stored parts of an explanation: record, arrays, pictures, contact sheet, ZIP; and its deletion."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from PIL import Image
from starlette.convertors import StringConvertor, register_url_convertor

from ...contract.arrays import Reduce, Reduction, npy, reduce_channels, to_half
from ...contract.problems import NotFound, Unprocessable
from ...contract.records import Explanation
from ...images.palettes import palettes
from ...images.render import draw, is_signed
from ...pipeline import archive as export
from ...pipeline.stored_parts import is_webp, read_part
from ...service.executor import Executor
from ...storage.records import load_record
from ...storage.stores import AnyStore
from .dependencies import (
    ExecutorDep,
    ExplanationId,
    OwnerDep,
    RenderPoolDep,
    StoreDep,
    explanation_gone,
    require_owner,
)
from .rendering import PiecewiseResponse, RenderPool, StreamedResponse


class _SegmentWithoutDot(StringConvertor):
    """A path segment without a dot, so that `/{id}.png` does not match an explanation «….png»."""

    regex = "[^/.]+"


register_url_convertor("plain", _SegmentWithoutDot())
router = APIRouter(prefix="/api/v1/explanations", tags=["explanations"])
Percentile = Annotated[float, Query(gt=0, le=100, description="|values| beyond it take the palette's last colour")]
Overlay = Annotated[float | None, Query(ge=0, le=1, description="Opacity of the map over the picture; none: map alone")]
Side = Annotated[
    int | None,
    Query(ge=16, le=2048, description="At most so many pixels on the longer side: larger pictures are scaled down"),
]
Responses = dict[int | str, dict[str, Any]]
BYTES = {"schema": {"type": "string", "format": "binary"}}
PICTURE: Responses = {200: {"content": {"image/png": BYTES, "image/webp": BYTES}}}
PICTURE_HEADERS = {"cache-control": "private, max-age=3600", "vary": "accept"}
PNG: Responses = {200: {"content": {"image/png": BYTES}}}


@router.get("/{id}.png", response_class=Response, responses=PNG)
async def sheet(
    request: Request, id: ExplanationId, store: StoreDep, executor: ExecutorDep, render_pool: RenderPoolDep
) -> Response:
    """Contact sheet with captions and scales."""
    record = await asyncio.to_thread(record_of, store, id)
    return await contact_sheet_response(request, store, executor, render_pool, record)


@router.get("/{id}.zip", response_class=Response, responses={200: {"content": {"application/zip": BYTES}}})
async def archive(
    request: Request, id: ExplanationId, store: StoreDep, executor: ExecutorDep, render_pool: RenderPoolDep
) -> Response:
    """Everything: record, arrays, pictures."""
    record = await asyncio.to_thread(record_of, store, id)
    return await zip_response(request, store, executor, render_pool, record)


@router.get("/{id:plain}", response_model=Explanation)
def explanation(id: ExplanationId, store: StoreDep) -> Any:
    """The record, with the panels that are finished."""
    return record_of(store, id)


@router.delete("/{id:plain}", status_code=204)
def forget(id: ExplanationId, store: StoreDep, executor: ExecutorDep, owner: OwnerDep) -> None:
    """Delete an explanation, its picture included, and each panel that no other explanation uses."""
    require_owner(store, id, owner, "forget it")
    if not store.forget(id):
        raise explanation_gone(id)
    executor.forget(id)


@router.get("/{id}/image.png", response_class=Response, responses=PICTURE)
async def image(request: Request, id: ExplanationId, store: StoreDep, render_pool: RenderPoolDep) -> Response:
    """The picture: upright, without metadata, at most 2048 pixels on its longer side. Who accepts `image/webp` gets the
    same pixels as lossless WebP, in fewer bytes."""
    if "image/webp" in request.headers.get("accept", ""):
        data = await asyncio.to_thread(store.read, id, "image")
        if data is not None and is_webp(data):
            return PiecewiseResponse(data, media_type="image/webp", headers=PICTURE_HEADERS)
    data = await render_pool.make(request, lambda: bytes_of(store, id, "image"))
    return PiecewiseResponse(data, media_type="image/png", headers=PICTURE_HEADERS)


@router.get("/{id}/inputs/{model}.png", response_class=Response, responses=PNG)
def seen(id: ExplanationId, model: str, store: StoreDep) -> Response:
    """The preprocessed picture: exactly the pixels that the model saw."""
    return _png(bytes_of(store, id, f"input:{model}"))


@router.get(
    "/{id}/panels/{panel}.npy",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": BYTES}}},
)
async def array(
    request: Request,
    id: ExplanationId,
    panel: str,
    store: StoreDep,
    render_pool: RenderPoolDep,
    reduce: Reduce = "none",
    dtype: Literal["float32", "float16"] = "float32",
) -> Response:
    """The raw attribution; float16 values are divided by the X-Scale header."""
    return await render_pool.make(request, lambda: array_response(_values(store, id, panel), reduce, dtype))


@router.get("/{id}/panels/{panel}.png", response_class=Response, responses=PNG)
async def coloured(
    request: Request,
    id: ExplanationId,
    panel: str,
    store: StoreDep,
    render_pool: RenderPoolDep,
    colormap: Annotated[str, Query(max_length=40)] = "inferno",
    reduce: Reduction = "abs",
    percentile: Percentile = 99,
    overlay: Overlay = None,
    zoom: Annotated[int, Query(ge=1, le=4, description="Pixels of the picture for each pixel of the map")] = 1,
    side: Side = None,
) -> Response:
    """The coloured map; with `overlay` drawn over the picture that the model saw. With `side` a thumbnail of it."""
    if colormap not in palettes():
        raise Unprocessable(
            f"colormap: there is no «{colormap}». There are: {', '.join(palettes())}.", field="colormap"
        )

    def render() -> Response:
        values = reduce_channels(_values(store, id, panel), reduce)
        under = None
        if overlay is not None:
            model = next(entry.model for entry in record_of(store, id).panels if entry.id == panel)
            under = export.picture(bytes_of(store, id, f"input:{model}"))
        drawn = draw(values, colormap, percentile, under, overlay or 0.0, signed=is_signed(reduce))
        if zoom > 1:  # each value becomes a square
            drawn = drawn.resize((drawn.width * zoom, drawn.height * zoom), Image.Resampling.NEAREST)
        return _png(export.png(export.thumbnail(drawn, side)))

    return await render_pool.make(request, render)


def array_response(values: np.ndarray, reduce: Reduce, dtype: str, cache: str = "private, max-age=3600") -> Response:
    """An array (C, H, W) as .npy; float16 values are divided by the X-Scale header."""
    values = reduce_channels(values, reduce)
    headers = {"cache-control": cache}
    if dtype == "float16":
        values, scale = to_half(values)
        headers["x-scale"] = repr(scale)
    return PiecewiseResponse(npy(values.astype(dtype)), media_type="application/octet-stream", headers=headers)


async def contact_sheet_response(
    request: Request, store: AnyStore, executor: Executor, render_pool: RenderPool, record: Explanation
) -> Response:
    titles = await _titles(executor)
    read = _reader(store, record.id)
    return await render_pool.make(request, lambda: _png(export.png(export.sheet(record, read, titles))))


async def zip_response(
    request: Request, store: AnyStore, executor: Executor, render_pool: RenderPool, record: Explanation
) -> Response:
    """The ZIP, made entry by entry while it is sent."""
    parts = export.zipped(export.files(record, _reader(store, record.id), await _titles(executor)))
    headers = {
        "content-type": "application/zip",
        "content-disposition": f'attachment; filename="gradoscope-{record.id[:8]}.zip"',
    }
    return await StreamedResponse.of(request, render_pool, parts, headers)


async def _titles(executor: Executor) -> dict[str, str]:
    return {method.id: method.title for method in (await executor.catalogue()).methods}


def _reader(store: AnyStore, id: str) -> Callable[[str], bytes | None]:
    """A function that reads parts of an explanation. If it was deleted meanwhile, reading raises `NotFound`."""

    def read(name: str) -> bytes | None:
        data = read_part(store, id, name)
        if data is None:
            record_of(store, id)
        return data

    return read


def record_of(store: AnyStore, id: str) -> Explanation:
    """The record of an explanation. Raises `NotFound`."""
    record = load_record(store, id)
    if record is None:
        raise explanation_gone(id)
    return record


def bytes_of(store: AnyStore, id: str, name: str) -> bytes:
    """A part of an explanation, by its name in the store. Raises `NotFound`."""
    data = read_part(store, id, name)
    if data is not None:
        return data
    record_of(store, id)  # raises if the whole explanation is gone
    raise NotFound(
        f"This explanation has no {name.replace(':', ' ')[:80]}, or the server's disk has lost it. Explain the picture "
        "again."
    )


def _values(store: AnyStore, id: str, panel: str) -> np.ndarray:
    return export.array(bytes_of(store, id, f"panel:{panel}"))


def _png(data: bytes) -> Response:
    return PiecewiseResponse(data, media_type="image/png", headers={"cache-control": "private, max-age=3600"})
