"""captum's metrics, turn by turn: they run in a thread that hands over at every evaluation."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from ..methods.base import Progress
from ..threaded_generator import hand_over
from .base import Meter

T = TypeVar("T")
Pause = Callable[[], None]


def interleave(meter: Meter, compute: Callable[[Pause], T]) -> Generator[Progress, None, T]:
    """Run `compute(pause)`, yielding what `meter` says each time that it calls `pause`."""
    running = hand_over(compute)
    try:
        while True:
            next(running)
            yield Progress(meter.done, meter.total)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        running.close()


def at_once(steps: Generator[Progress, None, T], pause: Pause) -> T:
    """What a generator returns, with a pause wherever it yields: within such a thread."""
    try:
        while True:
            next(steps)
            pause()
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()
