"""Fair turns: round-robin over clients, and over the running jobs of each client, one micro-batch at a time."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from ..contract import request_id
from ..contract.events import ErrorEvent, Event
from ..pipeline.problems import as_problem
from ..pipeline.turns import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Entry:
    client: str
    run: Run
    request: str


class Scheduler:
    """Runs by number. A Grad-CAM never waits for the end of someone's thousand-step integral, they alternate; and one
    client's twenty jobs together get as many turns as another client's one."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._rounds: OrderedDict[str, deque[int]] = OrderedDict()  # by client, the next to run first

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, number: int, run: Run, client: str = "", request: str = "") -> None:
        """Add a run. `request` is the request id for its log lines and problems."""
        self._entries[number] = _Entry(client, run, request)
        self._rounds.setdefault(client, deque()).append(number)

    def cancel(self, number: int) -> None:
        """End a run between two micro-batches and free what it holds. Unknown numbers are ignored."""
        entry = self._entries.get(number)
        if entry is not None:
            self._remove(number)
            with request_id.as_current(entry.request, entry.client):
                _close(entry.run)

    def turn(self) -> Iterator[tuple[int, Event]]:
        """Run the next job to the end of its micro-batch and yield its events. Does nothing if there is none."""
        if not self._rounds:
            return
        client, numbers = next(iter(self._rounds.items()))
        number = numbers[0]
        with request_id.as_current(self._entries[number].request, client):
            try:
                for event in self._entries[number].run:
                    if event is None:  # the end of a micro-batch
                        numbers.rotate(-1)
                        self._rounds.move_to_end(client)
                        return
                    yield number, event
            except Exception as error:
                yield number, ErrorEvent(problem=as_problem(error).body())
        self._remove(number)
        if client in self._rounds:
            self._rounds.move_to_end(client)

    def _remove(self, number: int) -> None:
        client = self._entries.pop(number).client
        self._rounds[client].remove(number)
        if not self._rounds[client]:
            del self._rounds[client]


def _close(run: Run) -> None:
    try:
        run.close()
    except Exception:
        log.exception("a cancelled run did not end cleanly")
