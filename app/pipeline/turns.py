"""Runs and their turns: whoever computes hands over after every micro-batch."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Generic, Self, TypeVar

from ..attribution.memory import out_of_memory
from ..contract.events import Event
from ..contract.problems import ComputationFailed, OutOfMemory, Problem
from ..zoo.zoo import Zoo

log = logging.getLogger(__name__)
PROGRESS_SECONDS = 0.1  # from one event of progress to the next
S = TypeVar("S")
R = TypeVar("R")
Run = Generator[Event | None, None, None]
"""Events for the client, and `None` where another run may take its turn or this one be closed."""


def round_robin(runs: Iterable[Run]) -> Run:
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


def reserve_models(zoo: Zoo, models: list[str]) -> Generator[None, None, AbstractContextManager[None]]:
    """Wait, turn by turn, until there is room for these models; then hold them by the context manager."""
    asker = object()
    try:
        while not zoo.room(models, asker):
            yield None
    finally:
        zoo.leave(asker)
    return zoo.hold(models)


class TimedGenerator(Generic[S, R]):
    """The steps of a generator, one by one; then its `result`, and `seconds`, that its own turns took together.

    To be used by `with`: leaving the block closes the generator.
    """

    result: R

    def __init__(self, steps: Generator[S, None, R]) -> None:
        self._steps = steps
        self.seconds = 0.0

    def __iter__(self) -> Iterator[S]:
        while True:
            began = time.monotonic()
            try:
                step = next(self._steps)
            except StopIteration as end:
                self.result = end.value
                return
            finally:
                self.seconds += time.monotonic() - began
            yield step

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._steps.close()


def as_problem(error: Exception) -> Problem:
    """What a client is told of an exception; what is not meant for clients goes to the log."""
    if isinstance(error, Problem):
        return error
    if out_of_memory(error):
        return OutOfMemory("The computation needs more memory than there is. Take a smaller model or fewer requests.")
    log.error("computation failed", exc_info=error)
    reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}" if str(error) else type(error).__name__
    return ComputationFailed(f"The computation broke off ({reason}). The server's log has the details.")
