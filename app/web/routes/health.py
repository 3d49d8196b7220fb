"""Health checks and metrics: whether the server answers, and whether it can compute."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from ...contract.problems import Problem, Unavailable
from ...contract.server import Health
from .dependencies import ExecutorDep, StoreDep

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Health:
    """The server answers."""
    return Health(status="alive")


@router.get("/readyz")
async def readyz(executor: ExecutorDep) -> Health:
    """The worker can compute; otherwise 503 with the reason."""
    if executor.unready:
        raise Unavailable(f"Not ready: {executor.unready}.", retry_after=2)
    return Health(status="ready")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(executor: ExecutorDep, store: StoreDep) -> Response:
    """Metrics for Prometheus: requests, panels and their seconds, memory, store, deaths of the worker."""
    with suppress(Problem):  # then the last values stay
        executor.telemetry.set_store_size(*await asyncio.to_thread(store.usage))
    return Response(executor.telemetry.text(), media_type=CONTENT_TYPE_LATEST)
