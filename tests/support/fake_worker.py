"""A worker process that computes nothing: it starts at once, takes turns, sends events, and dies where a job says so.

The executor around it is the real one, and so are the process, the connection and the store.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from gradoscope.contract.events import DoneEvent, Event
from gradoscope.contract.jobs import Explain
from gradoscope.contract.problems import NotFound
from gradoscope.contract.records import Ending
from gradoscope.settings import Settings
from gradoscope.storage.store import Store

from tests.support.contract import accepted, explanation, panel_event, progress

SECONDS = 0.002  # of a step


def work(connection: Connection, settings: Settings) -> None:
    """As `gradoscope.service.worker.work`; a job's options are `steps`, and `die`: the step at which all ends."""
    store = Store(settings.store, settings.store_bytes, max_age=3600)
    connection.send(("ready", {"models": [], "methods": [], "metrics": []}))
    runs: deque[tuple[int, Iterator[Event]]] = deque()
    with suppress(EOFError, OSError):
        while True:
            while connection.poll(None if not runs else 0):
                message = connection.recv()
                if message[0] == "stop":
                    return
                if message[0] == "run":
                    runs.append((message[1], run(message[2], store)))
                elif message[0] == "cancel":
                    for number, events in list(runs):
                        if number == message[1]:
                            runs.remove((number, events))
                elif message[0] == "forget":
                    store.forget(message[1])
                elif message[0] == "cancel_running_except":
                    store.cancel_running(except_for=message[1])
                elif message[0] == "record_end":
                    record_end(store, *message[1:])
                if runs:
                    break
            if runs:
                number, events = runs.popleft()
                event = next(events)
                connection.send(("event", number, event))
                if not event.final:
                    runs.append((number, events))


def record_end(store: Store, id: str, end: Ending) -> None:
    record = store.load(id)
    if record is not None and record["status"] != "done":
        with suppress(NotFound):
            store.update(id, record | end.to_dict())


def run(job: Any, store: Store) -> Iterator[Event]:
    assert isinstance(job, Explain)
    steps, die = job.options["fake"]["steps"], job.options["fake"].get("die")
    record = explanation(job.id, status="running")
    store.create(job.id, record.to_dict())
    yield accepted(steps, job.id)
    for step in range(1, steps + 1):
        time.sleep(SECONDS)
        if step == die:
            os._exit(3)
        yield progress("p1", step, steps)
    yield panel_event("p1")
    record.status = "done"
    with suppress(NotFound):
        store.update(job.id, record.to_dict())
    yield DoneEvent(record=record)
