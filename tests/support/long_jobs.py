"""A job that runs long enough for tests of what happens meanwhile. It needs the fixture `slow_model`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.support.paths import sample
from tests.support.server import Server
from tests.support.streams import stream

LONG = {"method": "integrated_gradients", "options": json.dumps({"integrated_gradients": {"steps": 1000}})}
IDLE_TICKS = 3


def running(server: Server, **fields: Any) -> AbstractContextManager[Iterator[tuple[str, Any]]]:
    """A long integral as a stream, for `with`."""
    return stream(server.http, {"image": sample("cat.jpg")}, **LONG | fields)


def until(events: Iterator[tuple[str, Any]], name: str, count: int = 1) -> Any:
    """The data of the next event of that name, or of the `count`th."""
    for event, data in events:
        if event == name:
            count -= 1
            if not count:
                return data
    raise AssertionError(f"the stream ended without {name}")


def idle(server: Server, tries: int = 10) -> bool:
    """Whether the worker's processor time stands still: nothing is being computed."""
    return any(ticks_within(1, server) <= IDLE_TICKS for _ in range(tries))


def ticks_within(seconds: float, server: Server) -> int:
    """The worker's processor time meanwhile, in hundredths of a second."""

    def ticks() -> int:
        fields = Path(f"/proc/{server.worker_pid()}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(seconds)
    return ticks() - before
