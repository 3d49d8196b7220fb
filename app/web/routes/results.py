"""The stored parts of an explanation: record, arrays, pictures, contact sheet, ZIP; and its deletion."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Response
from PIL import Image
from starlette.convertors import StringConvertor, register_url_convertor

from ...contract.arrays import Reduce, Reduction, npy, reduce_channels, to_half
from ...contract.problems import NotFound, Unprocessable
from ...contract.records import Explanation
from ...images.palettes import palettes
from ...images.render import draw, is_signed
from ...pipeline import archive as export
from ...service.executor import Executor
from ...storage.records import load_record
from ...storage.stores import AnyStore
from .dependencies import ExecutorDep, ExplanationId, OwnerDep, StoreDep, explanation_gone, require_owner


class _SegmentWithoutDot(StringConvertor):
    """A path segment without a dot, so that `/{id}.png` does not match an explanation «….png»."""

    regex = "[^/.]+"


register_url_convertor("plain", _SegmentWithoutDot())
router = APIRouter(prefix="/api/v1/explanations", tags=["explanations"])
Percentile = Annotated[float, Query(gt=0, le=100, description="|values| beyond it take the palette's last colour")]
Overlay = Annotated[float | None, Query(ge=0, le=1, description="Opacity of the map over the picture; none: map alone")]
Responses = dict[int | str, dict[str, Any]]
BYTES = {"schema": {"type": "string", "format": "binary"}}
PNG: Responses = {200: {"content": {"image/png": BYTES}}}


@router.get("/{id}.png", response_class=Response, responses=PNG)
async def sheet(id: ExplanationId, store: StoreDep, executor: ExecutorDep) -> Response:
    """Contact sheet with captions and scales."""
    return await contact_sheet_response(store, executor, await asyncio.to_thread(record_of, store, id))


@router.get("/{id}.zip", response_class=Response, responses={200: {"content": {"application/zip": BYTES}}})
async def archive(id: ExplanationId, store: StoreDep, executor: ExecutorDep) -> Response:
    """Everything: record, arrays, pictures."""
    return await zip_response(store, executor, await asyncio.to_thread(record_of, store, id))


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


@router.get("/{id}/image.png", response_class=Response, responses=PNG)
def image(id: ExplanationId, store: StoreDep) -> Response:
    """The picture: upright, without metadata, at most 2048 pixels on its longer side."""
    return _png(bytes_of(store, id, "image"))


@router.get("/{id}/inputs/{model}.png", response_class=Response, responses=PNG)
def seen(id: ExplanationId, model: str, store: StoreDep) -> Response:
    """The preprocessed picture: exactly the pixels that the model saw."""
    return _png(bytes_of(store, id, f"input:{model}"))


@router.get(
    "/{id}/panels/{panel}.npy",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": BYTES}}},
)
def array(
    id: ExplanationId,
    panel: str,
    store: StoreDep,
    reduce: Reduce = "none",
    dtype: Literal["float32", "float16"] = "float32",
) -> Response:
    """The raw attribution; float16 values are divided by the X-Scale header."""
    return array_response(_values(store, id, panel), reduce, dtype)


@router.get("/{id}/panels/{panel}.png", response_class=Response, responses=PNG)
def coloured(
    id: ExplanationId,
    panel: str,
    store: StoreDep,
    colormap: Annotated[str, Query(max_length=40)] = "inferno",
    reduce: Reduction = "abs",
    percentile: Percentile = 99,
    overlay: Overlay = None,
    zoom: Annotated[int, Query(ge=1, le=4, description="Pixels of the picture for each pixel of the map")] = 1,
) -> Response:
    """The coloured map; with `overlay` drawn over the picture that the model saw."""
    if colormap not in palettes():
        raise Unprocessable(
            f"colormap: there is no «{colormap}». There are: {', '.join(palettes())}.", field="colormap"
        )
    values = reduce_channels(_values(store, id, panel), reduce)
    under = None
    if overlay is not None:
        model = next(entry.model for entry in record_of(store, id).panels if entry.id == panel)
        under = export.picture(bytes_of(store, id, f"input:{model}"))
    drawn = draw(values, colormap, percentile, under, overlay or 0.0, signed=is_signed(reduce))
    if zoom > 1:  # each value becomes a square
        drawn = drawn.resize((drawn.width * zoom, drawn.height * zoom), Image.Resampling.NEAREST)
    return _png(export.png(drawn))


def array_response(values: np.ndarray, reduce: Reduce, dtype: str, cache: str = "private, max-age=3600") -> Response:
    """An array (C, H, W) as .npy; float16 values are divided by the X-Scale header."""
    values = reduce_channels(values, reduce)
    headers = {"cache-control": cache}
    if dtype == "float16":
        values, scale = to_half(values)
        headers["x-scale"] = repr(scale)
    return Response(npy(values.astype(dtype)), media_type="application/octet-stream", headers=headers)


async def contact_sheet_response(store: AnyStore, executor: Executor, record: Explanation) -> Response:
    titles = await _titles(executor)
    return _png(await asyncio.to_thread(lambda: export.png(export.sheet(record, _reader(store, record.id), titles))))


async def zip_response(store: AnyStore, executor: Executor, record: Explanation) -> Response:
    data = await asyncio.to_thread(_zip, store, record, await _titles(executor))
    headers = {"content-disposition": f'attachment; filename="gradoscope-{record.id[:8]}.zip"'}
    return Response(data, media_type="application/zip", headers=headers)


async def _titles(executor: Executor) -> dict[str, str]:
    return {method.id: method.title for method in (await executor.catalogue()).methods}


def _zip(store: AnyStore, record: Explanation, titles: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in export.files(record, _reader(store, record.id), titles):
            archive.writestr(name, data)
    return out.getvalue()


def _reader(store: AnyStore, id: str) -> Callable[[str], bytes | None]:
    """A function that reads parts of an explanation. If it was deleted meanwhile, reading raises `NotFound`."""

    def read(name: str) -> bytes | None:
        data = store.read(id, name)
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
    data = store.read(id, name)
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
    return Response(data, media_type="image/png", headers={"cache-control": "private, max-age=3600"})
