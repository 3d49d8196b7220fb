"""Runs and their turns: whoever computes hands over after every micro-batch."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager

from .errors import ComputationFailed, OutOfMemory, Problem
from .service.jobs import Event
from .zoo.memory import out_of_memory
from .zoo.zoo import Zoo

log = logging.getLogger(__name__)
Run = Generator[Event | None, None, None]
"""Events for the client, and `None` where another run may take its turn or this one be closed."""


def side_by_side(runs: Iterable[Run]) -> Run:
    """Let runs take turns by micro-batch, so that all maps of a request sharpen together, the cheap ones at once."""
    waiting = deque(runs)
    try:
        while waiting:
            for event in waiting[0]:
                if event is None:
                    waiting.rotate(-1)
                    break
                yield event
            else:
                waiting.popleft()
            yield None
    finally:
        for run in waiting:
            run.close()


def held(zoo: Zoo, models: list[str]) -> Generator[None, None, AbstractContextManager[None]]:
    """Wait, turn by turn, until there is room for these models; then hold them by the context manager."""
    asker = object()
    try:
        while not zoo.room(models, asker):
            yield None
    finally:
        zoo.leave(asker)
    return zoo.hold(models)


def as_problem(error: Exception) -> Problem:
    """What a client is told of an exception; what is not meant for clients goes to the log."""
    if isinstance(error, Problem):
        return error
    if out_of_memory(error):
        return OutOfMemory("The computation needs more memory than there is. Take a smaller model or fewer requests.")
    log.error("computation failed", exc_info=error)
    reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}" if str(error) else type(error).__name__
    return ComputationFailed(f"The computation broke off ({reason}). The server's log has the details.")
