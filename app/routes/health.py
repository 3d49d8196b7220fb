"""Alive, and able to compute."""

from __future__ import annotations

from fastapi import APIRouter

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
