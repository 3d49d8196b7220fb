"""Alive, and able to compute."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from ..errors import Unavailable
from ..schemas import Health
from .dependencies import ExecutorOf

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
async def metrics(executor: ExecutorOf) -> Response:
    """Requests, panels and their seconds, deaths of the worker, for Prometheus."""
    return Response(executor.metrics.text(), media_type=CONTENT_TYPE_LATEST)
