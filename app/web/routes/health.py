"""Alive, and able to compute."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from ...contract.problems import Problem, Unavailable
from ...contract.server import Health
from .dependencies import ExecutorOf, StoreOf

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Health:
    """The server answers."""
    return Health(status="alive")


@router.get("/readyz")
async def readyz(executor: ExecutorOf) -> Health:
    """The worker can compute; 503 with the reason where it cannot yet."""
    if executor.unready:
        raise Unavailable(f"Not ready: {executor.unready}.", retry_after=2)
    return Health(status="ready")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(executor: ExecutorOf, store: StoreOf) -> Response:
    """Requests, panels and their seconds, memory, store, deaths of the worker, for Prometheus."""
    with suppress(Problem):  # then they stay as they were
        executor.metrics.stored(*await asyncio.to_thread(store.usage))
    return Response(executor.metrics.text(), media_type=CONTENT_TYPE_LATEST)
