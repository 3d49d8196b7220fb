"""uvicorn, with a log that ends in where to open the page."""

from __future__ import annotations

import logging
import socket

import uvicorn

from . import __version__


class Server(uvicorn.Server):
    """As uvicorn's; `address` is the URL for people."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self.address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        logging.getLogger("uvicorn.error").info("Gradoscope %s: open %s", __version__, self.address)
