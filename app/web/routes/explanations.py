"""POST /explanations."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from pydantic import BeforeValidator, WithJsonSchema
from sse_starlette import EventSourceResponse, ServerSentEvent

from ...contract import request_id
from ...contract.arrays import ScoreKind
from ...contract.events import ErrorEvent, Event
from ...contract.jobs import Explain, Measure, Quality, RunExperiment
from ...contract.parsing import MAX_SEED, parse_class, parse_json, parse_size, parse_target
from ...contract.problems import Unprocessable
from ...contract.records import Explanation
from ...contract.wire import JsonObject
from ...service.executor import Executor
from ...service.telemetry import Telemetry
from .dependencies import ExecutorDep, OwnerDep, RenderPoolDep, StoreDep
from .forms import FormRoute
from .results import contact_sheet_response, zip_response
from .submit import client_of, raise_if_error, run_for_client, while_connected
from .uploads import (
    FitName,
    ModelNames,
    Picture,
    Repeatable,
    SampleName,
    SizeText,
    SourceExplanation,
    only_fields,
    read_picture,
)

router = APIRouter(prefix="/api/v1", tags=["explanations"], route_class=FormRoute)
MEDIA_TYPES = ("application/json", "text/event-stream", "image/png", "application/zip")
FIELDS = (
    *("image", "sample", "from", "model", "method", "target", "against"),
    *("score", "options", "quality", "seed", "fit", "size", "metrics"),
)
CLASS = [{"type": "integer"}, {"type": "string"}]
ClassText = Annotated[
    int | str | None,
    BeforeValidator(lambda value: parse_class(value) if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": CLASS}),
]
Target = Annotated[
    int | str | None,
    BeforeValidator(lambda value: parse_target(value) if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"const": "top"}, *CLASS]}),
]
OptionsText = Annotated[
    str, Form(description='Parameters by method or metric, JSON: {"smooth_grad": {"samples": 100}}')
]
QualityName = Annotated[
    Quality | None,
    Form(description="How exact the maps are: sets the parameters that GET /methods lists, where `options` does not"),
]
MetricNames = Annotated[
    list[str] | None,
    Repeatable,
    Form(description="What to measure of each map, repeatable; `all` stands for every metric"),
]


@router.post(
    "/explanations",
    response_model=Explanation,
    dependencies=[only_fields(*FIELDS, repeatable=("model", "method", "target", "metrics"))],
    responses={
        200: {
            "description": "The record, when all is done; or, by `Accept`, its events as they happen, a contact sheet, "
            "or everything in a ZIP",
            "content": {
                "text/event-stream": {"schema": {"type": "string"}},
                "image/png": {"schema": {"type": "string", "format": "binary"}},
                "application/zip": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def explain(
    request: Request,
    executor: ExecutorDep,
    store: StoreDep,
    owner: OwnerDep,
    render_pool: RenderPoolDep,
    image: Picture = None,
    sample: SampleName = None,
    source_explanation: SourceExplanation = None,
    model: ModelNames = None,
    method: Annotated[list[str] | None, Repeatable, Form(description="Repeatable; the six where none is named")] = None,
    target: Annotated[
        list[Target] | None,
        Repeatable,
        Form(description="Class index or unique label, repeatable; `top`, or none at all, is each model's top class"),
    ] = None,
    against: Annotated[
        ClassText, Form(description="Class index or label: explain logit(target) − logit(against)")
    ] = None,
    score: Annotated[ScoreKind, Form(description="The number that is explained")] = "logit",
    options: OptionsText = "{}",
    quality: QualityName = None,
    seed: Annotated[int, Form(ge=0, le=MAX_SEED, description="Of the methods that use random numbers")] = 0,
    fit: FitName = None,
    size: SizeText = None,
    metrics: MetricNames = None,
) -> Any:
    """Explain a picture: one panel for each model × target × method. Closing the connection ends the computation."""
    job = Explain(
        id=secrets.token_hex(16),
        picture=await read_picture(store, owner, image, sample, source_explanation),
        models=tuple(model or ()),
        methods=tuple(method or ()),
        targets=tuple(target or ()),
        against=against,
        score=score,
        options=parse_options(options),
        quality=quality,
        seed=seed,
        fit=fit,
        size=parse_size(size),
        owner=owner or "",
        metrics=tuple(metrics or ()),
    )
    media_type = negotiate(request.headers.get("accept", ""))
    if media_type == "text/event-stream":
        return await stream(request, executor, job)
    record = await run_for_client(request, executor, job, Explanation)
    if media_type == "image/png":
        return await contact_sheet_response(request, store, executor, render_pool, record)
    if media_type == "application/zip":
        return await zip_response(request, store, executor, render_pool, record)
    return Response(json.dumps(record.to_dict()), media_type="application/json", headers={"location": record.url})


async def stream(request: Request, executor: Executor, job: Explain | Measure | RunExperiment) -> Response:
    """Send a job's events as they happen. Problems before the first event still become an HTTP status."""
    events = executor.submit(job, client_of(request))
    try:
        first = raise_if_error(await while_connected(request, anext(events)))
    except BaseException:
        await events.aclose()
        raise
    return EventSourceResponse(
        _messages(first, events, executor.telemetry), ping=15, send_timeout=60, headers={"cache-control": "no-store"}
    )


async def _messages(
    first: Event, events: AsyncGenerator[Event, None], telemetry: Telemetry
) -> AsyncIterator[ServerSentEvent]:
    async with aclosing(events):
        yield _message(first)
        async for event in events:
            if isinstance(event, ErrorEvent):
                telemetry.request_refused(event.problem.title, event.problem.status)
            yield _message(event)


def _message(event: Event) -> ServerSentEvent:
    data = event.to_dict()
    if isinstance(event, ErrorEvent):
        data["request_id"] = request_id.current()
    return ServerSentEvent(json.dumps(data), event=event.name)


def negotiate(accept: str) -> str:
    """The media type that a client prefers; JSON if it names none that is available."""
    best, best_quality = MEDIA_TYPES[0], 0.0
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if name in MEDIA_TYPES and quality > best_quality:
            best, best_quality = name, quality
    return best


def parse_options(text: str) -> JsonObject:
    """Parameters by method or metric. Raises `Unprocessable` if `text` is no JSON object of objects of finite
    values."""
    try:
        options = parse_json(text or "{}")
    except ValueError as error:
        raise Unprocessable(
            f'options is not valid JSON ({str(error)[:120]}). Send e.g. {{"smooth_grad": {{"samples": 100}}}}.',
            field="options",
        ) from error
    if not isinstance(options, dict) or not all(isinstance(value, dict) for value in options.values()):
        raise Unprocessable(
            'options must be an object of objects, method by method, e.g. {"smooth_grad": {"samples": 100}}.',
            field="options",
        )
    return options
