"""Metrics of a stored panel: measure them, and read the maps that a metric has made."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from ...contract.arrays import Reduce, measurement_part, unpack
from ...contract.measure_job import measure_job
from ...contract.problems import NotFound
from ...contract.records import Explanation
from .dependencies import ExecutorDep, ExplanationId, OwnerDep, RenderPoolDep, StoreDep
from .explanations import MetricNames, OptionsText, negotiate, parse_options, stream
from .forms import FormRoute
from .results import BYTES, array_response, bytes_of, record_of
from .submit import run_for_client
from .uploads import only_fields, read_picture

router = APIRouter(prefix="/api/v1/explanations", tags=["metrics"], route_class=FormRoute)


@router.post(
    "/{id}/panels/{panel}/metrics",
    response_model=Explanation,
    dependencies=[only_fields("metrics", "options", repeatable=("metrics",))],
    responses={
        200: {
            "description": "The explanation's record, when all is measured; or, by `Accept`, events as they happen",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def measure(
    request: Request,
    executor: ExecutorDep,
    store: StoreDep,
    owner: OwnerDep,
    id: ExplanationId,
    panel: str,
    metrics: MetricNames = None,
    options: OptionsText = "{}",
) -> Any:
    """Measure how far a map can be trusted; the results are added to the explanation's record.

    Closing the connection ends the computation.
    """
    picture = await read_picture(store, owner, None, None, id)
    record = await asyncio.to_thread(record_of, store, id)
    job = measure_job(record, panel, picture, tuple(metrics or ("all",)), parse_options(options), owner or "")
    if negotiate(request.headers.get("accept", "")) == "text/event-stream":
        return await stream(request, executor, job)
    return await run_for_client(request, executor, job, Explanation)


@router.get(
    "/{id}/panels/{panel}/metrics/{metric}/{name}.npy",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": BYTES}}},
)
async def array(
    request: Request,
    id: ExplanationId,
    panel: str,
    metric: str,
    name: str,
    store: StoreDep,
    render_pool: RenderPoolDep,
    reduce: Reduce = "none",
    dtype: Literal["float32", "float16"] = "float32",
) -> Response:
    """A map that a metric has made, stored with float16's 11 bits. float16 values are divided by the X-Scale header."""

    def render() -> Response:
        values = unpack(bytes_of(store, id, measurement_part(panel, metric)), name)
        if values is None:
            raise NotFound(
                f"{metric} of this panel has made no map «{name[:40]}». Its record lists those that there are."
            )
        return array_response(values, reduce, dtype, "no-store")  # it changes when measured with other parameters

    return await render_pool.make(request, render)
