"""Runs: generators that compute in turns and hand over after every micro-batch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Generic, Self, TypeVar

from ..contract.events import Event
from ..zoo.zoo import Zoo

PROGRESS_SECONDS = 0.1  # between two `progress` events
S = TypeVar("S")
R = TypeVar("R")
Run = Generator[Event | None, None, None]
"""Events for the client, and `None` where another run may take its turn or this one may be closed."""


def round_robin(runs: Iterable[Run]) -> Run:
    """Let runs take turns by micro-batch, so that all maps of a request progress together and cheap ones are done
    soon."""
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
    """Wait, turn by turn, until there is room for these models. Returns a context manager that keeps them in memory."""
    token = object()
    try:
        while not zoo.request_room(models, token):
            yield None
    finally:
        zoo.withdraw_request(token)
    return zoo.hold(models)


class TimedGenerator(Generic[S, R]):
    """Iterates over a generator's steps; then has its `result`, and the `seconds` that its own turns took together.

    For use in a `with` statement: leaving the block closes the generator.
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
            except StopIteration as stop:
                self.result = stop.value
                return
            finally:
                self.seconds += time.monotonic() - began
            yield step

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._steps.close()
