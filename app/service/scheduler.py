"""Fair turns: the running jobs go round, one micro-batch at a time."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator

from ..turns import Run, as_problem
from .jobs import Event

log = logging.getLogger(__name__)


class Scheduler:
    """Runs by number. A Grad-CAM never waits behind someone's thousand-step integral, only beside it."""

    def __init__(self) -> None:
        self._runs: dict[int, Run] = {}
        self._turns: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, number: int, run: Run) -> None:
        self._runs[number] = run
        self._turns.append(number)

    def cancel(self, number: int) -> None:
        """End a run where it stands, at the end of a micro-batch; what it holds is freed. Unknown numbers are fine."""
        run = self._runs.pop(number, None)
        if run is not None:
            self._turns.remove(number)
            _close(run)

    def turn(self) -> Iterator[tuple[int, Event]]:
        """Let the next run go on to the end of its micro-batch; yields its events. Does nothing where none runs."""
        if not self._turns:
            return
        number = self._turns.popleft()
        run = self._runs[number]
        try:
            for event in run:
                if event is None:
                    self._turns.append(number)
                    return
                yield number, event
        except Exception as error:
            yield number, Event("error", as_problem(error).as_dict())
        del self._runs[number]


def _close(run: Run) -> None:
    try:
        run.close()
    except Exception:
        log.exception("a cancelled run did not end cleanly")
