"""Worker processes that hang, or answer with garbage, at their first start. After a restart they work."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection

from gradoscope.settings import Settings

from tests.support import fake_worker


def work(connection: Connection, settings: Settings) -> None:
    """Hangs in its first job."""
    if _first_life(settings):
        connection.send(("ready", {}))
        while connection.recv()[0] != "run":
            pass
        time.sleep(3600)
    fake_worker.work(connection, settings)


def work_that_mumbles(connection: Connection, settings: Settings) -> None:
    """Answers its first job with bytes that are no pickle, and hangs."""
    if _first_life(settings):
        connection.send(("ready", {}))
        while connection.recv()[0] != "run":
            pass
        connection.send_bytes(b"what?")
        time.sleep(3600)
    fake_worker.work(connection, settings)


def _first_life(settings: Settings) -> bool:
    try:
        (settings.store / "lived").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
