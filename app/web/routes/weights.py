"""POST /models/{id}/weights: download a model's weights, if the operator allows it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from ...contract.catalogue import ModelBody
from ...contract.jobs import Locate, Refresh
from ...contract.problems import Forbidden, Problem
from ...contract.server import RefreshResult
from ...contract.wire import JsonObject
from ...service.executor import Executor
from ...zoo.download import DownloadProgress
from ...zoo.weights import Location
from .dependencies import DownloadsDep, ExecutorDep, SettingsDep
from .submit import run_for_client, run_job, while_connected

router = APIRouter(prefix="/api/v1", tags=["catalogue"])


@router.post(
    "/models/{id}/weights",
    response_model=ModelBody,
    responses={
        200: {
            "description": "The model, when its weights are there; or, by `Accept: text/event-stream`, events as it "
            "happens: `progress` {done, total} in bytes, `done` {the model}, `error` {a problem}",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def fetch(
    request: Request, id: str, executor: ExecutorDep, downloads: DownloadsDep, settings: SettingsDep
) -> Any:
    """Download a model's weights, resumable and checked by hash. Closing the connection ends it; partial data stays."""
    location = await run_for_client(request, executor, Locate(id), Location)
    if not location.ready:
        check_allowed(id, settings.downloads, settings.offline)
    streamed = "text/event-stream" in request.headers.get("accept", "")
    if location.ready:
        model = await refreshed_entry(executor, id)
        return EventSourceResponse(_done(model)) if streamed else model
    if not streamed:
        await while_connected(request, downloads.fetch(location.file, id))
        return await refreshed_entry(executor, id)
    progress = downloads.watch(location.file, id)
    return EventSourceResponse(
        _messages(progress, executor, id), ping=15, send_timeout=60, headers={"cache-control": "no-store"}
    )


def check_allowed(model: str, downloads: str, offline: bool) -> None:
    """Raise `Forbidden` if clients may not download weights."""
    if offline:
        raise Forbidden(f"{model}: the weights are not here, and the server is offline.", field="model")
    if downloads == "none":
        raise Forbidden(
            f"{model}: downloads are not allowed here. The operator runs «gradoscope models pull {model}», or allows "
            "them by GRADOSCOPE_DOWNLOADS=cards.",
            field="model",
        )


async def refreshed_entry(executor: Executor, id: str) -> ModelBody:
    """The model's entry in the refreshed catalogue."""
    await run_job(executor, Refresh(), RefreshResult)
    models = (await executor.catalogue()).models
    return next(model for model in models if model.id == id)


async def _messages(
    progress: AsyncGenerator[DownloadProgress, None], executor: Executor, id: str
) -> AsyncIterator[ServerSentEvent]:
    try:
        async with aclosing(progress):
            async for fetched in progress:
                yield _message("progress", {"done": fetched.done, "total": fetched.total})
        yield _message("done", (await refreshed_entry(executor, id)).to_dict())
    except Problem as problem:
        yield _message("error", problem.to_dict())


async def _done(model: ModelBody) -> AsyncIterator[ServerSentEvent]:
    yield _message("done", model.to_dict())


def _message(name: str, data: JsonObject) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(data), event=name)
