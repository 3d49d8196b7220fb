"""Runs a library's blocking computation in a thread that hands over at every forward call.

So it yields, takes turns with other requests and can be cancelled, like a method of our own.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

S = TypeVar("S")
T = TypeVar("T")
Pause = Callable[[], None]


class _Stopped(BaseException):
    """Unwinds the thread; not an Exception, so that no library swallows it."""


def hand_over(compute: Callable[[Pause], T]) -> Generator[None, None, T]:
    """Run `compute(pause)` in a thread; yields each time that it calls `pause`, and returns what it returns.

    Exactly one of the two threads runs at any time. Closing the generator ends the thread at its next `pause`;
    an exception of `compute` is raised here.
    """
    go: queue.SimpleQueue[bool] = queue.SimpleQueue()
    news: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def wait_for_turn() -> None:
        if not go.get():
            raise _Stopped

    def pause() -> None:
        news.put(("paused", None))
        wait_for_turn()

    def run() -> None:
        try:
            wait_for_turn()
            news.put(("result", compute(pause)))
        except _Stopped:
            news.put(("stopped", None))
        except BaseException as error:
            news.put(("error", error))

    thread = threading.Thread(target=run, name="hand-over", daemon=True)
    thread.start()
    ended = False
    try:
        while True:
            go.put(True)
            kind, value = news.get()
            if kind == "paused":
                yield
                continue
            ended = True
            if kind == "error":
                raise value
            return value  # type: ignore[no-any-return]
    finally:
        if not ended:
            go.put(False)
        thread.join()


def interleave(compute: Callable[[Pause], T], step: Callable[[], S]) -> Generator[S, None, T]:
    """Run `compute(pause)` as `hand_over` does, yielding what `step` says each time that it calls `pause`."""
    running = hand_over(compute)
    try:
        while True:
            next(running)
            yield step()
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        running.close()


def run_with_pauses(steps: Generator[object, None, T], pause: Pause) -> T:
    """What a generator returns, with a pause wherever it yields: for use within such a thread."""
    try:
        while True:
            next(steps)
            pause()
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()
