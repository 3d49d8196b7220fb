"""uvicorn: how it is set up, and a log that ends in where to open the page."""

from __future__ import annotations

import logging
import socket

import uvicorn
from fastapi import FastAPI

from . import __version__
from .door.connection import connections
from .settings import Settings


def configuration(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """What uvicorn is to do, and what it is not: it tells nobody its name, and believes no header of a stranger."""
    return uvicorn.Config(
        app,
        http=connections(settings, lambda problem: app.state.executor.metrics.refused(problem.title, problem.status)),
        ws="none",
        log_config=None,  # its lines go the way of ours
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
    )


class Server(uvicorn.Server):
    """As uvicorn's; `address` is the URL for people."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self.address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        logging.getLogger("uvicorn.error").info("Gradoscope %s: open %s", __version__, self.address)
