"""Metrics of a panel that is kept: measure them, and the maps made on the way."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, cast

from fastapi import APIRouter, Request, Response

from ...contract.arrays import Reduce, ScoreKind, measurement_part, unpack
from ...contract.jobs import Explain, Measure
from ...contract.problems import NotFound, Unprocessable
from ...contract.records import Explanation
from ...contract.wire import JsonObject
from .dependencies import ExecutorOf, ExplanationId, OwnerOf, StoreOf
from .explanations import MetricNames, OptionsText, negotiate, parse_options, stream
from .results import BYTES, array_response, bytes_of, record_of
from .submit import answer
from .uploads import only, read_picture

router = APIRouter(prefix="/api/v1/explanations", tags=["metrics"])


@router.post(
    "/{id}/panels/{panel}/metrics",
    response_model=Explanation,
    dependencies=[only("metrics", "options")],
    responses={
        200: {
            "description": "The explanation's record, when all is measured; or, by `Accept`, events as they happen",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def measure(
    request: Request,
    executor: ExecutorOf,
    store: StoreOf,
    owner: OwnerOf,
    id: ExplanationId,
    panel: str,
    metrics: MetricNames = None,
    options: OptionsText = "{}",
) -> Any:
    """Measure how far a map can be trusted; what is found goes into the explanation's record.

    Closing the connection ends the computation.
    """
    picture = await read_picture(store, owner, None, None, id)
    record = await asyncio.to_thread(record_of, store, id)
    question = question_of(record, panel, picture, tuple(metrics or ("all",)), parse_options(options), owner or "")
    job = Measure(question, panel)
    if negotiate(request.headers.get("accept", "")) == "text/event-stream":
        return await stream(request, executor, job)
    return await answer(request, executor, job, Explanation)


@router.get(
    "/{id}/panels/{panel}/metrics/{metric}/{name}.npy",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": BYTES}}},
)
def array(
    id: ExplanationId,
    panel: str,
    metric: str,
    name: str,
    store: StoreOf,
    reduce: Reduce = "none",
    dtype: Literal["float32", "float16"] = "float32",
) -> Response:
    """A map that was made on the way; kept to float16's 11 bits. float16 is divided by the number in X-Scale."""
    values = unpack(bytes_of(store, id, measurement_part(panel, metric)), name)
    if values is None:
        raise NotFound(f"{metric} of this panel has made no map «{name[:40]}». Its record lists those that there are.")
    return array_response(values, reduce, dtype, "no-store")  # measured again by other parameters, it is another one


def question_of(
    record: Explanation, panel: str, picture: bytes, metrics: tuple[str, ...], options: JsonObject, owner: str
) -> Explain:
    """The question that has made this panel alone, with the metrics that are asked for. Raises `NotFound` where there
    is no such panel, `Unprocessable` where it has no map."""
    made = next((entry for entry in record.panels if entry.id == panel), None)
    if made is None:
        listed = ", ".join(entry.id for entry in record.panels) or "none yet"
        raise NotFound(f"This explanation has no panel «{panel[:40]}». There are: {listed}.")
    if made.status != "done" or made.target is None:
        raise Unprocessable("This panel has no map, so there is nothing to measure. Its record says why.")
    seen = next(entry for entry in record.inputs if entry.model == made.model)
    return Explain(
        id=record.id,
        picture=picture,
        models=(made.model,),
        methods=(made.method,),
        targets=(made.target.index,),
        against=made.against.index if made.against else None,
        score=cast(ScoreKind, record.score),
        options={**options, made.method: made.parameters},
        seed=record.seed,
        fit=seen.fit,
        size=(seen.size[0], seen.size[1]),
        owner=owner,
        metrics=metrics,
    )
