"""The hand-over: one thread at a time, cancelled at its next pause, errors raised here, no thread left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from gradoscope.attribution.threaded_generator import hand_over


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = threading.enumerate()
    yield
    assert threading.enumerate() == before


def test_yields_at_each_pause_and_returns_the_result() -> None:
    steps: list[str] = []

    def compute(pause: Callable[[], None]) -> int:
        for i in range(3):
            steps.append(f"inside {i}")
            pause()
        return 7

    running = hand_over(compute)
    for i in range(3):
        next(running)
        steps.append(f"outside {i}")
    with pytest.raises(StopIteration) as end:
        next(running)
    assert end.value.value == 7
    assert steps == ["inside 0", "outside 0", "inside 1", "outside 1", "inside 2", "outside 2"]


def test_closing_ends_the_thread_at_its_next_pause() -> None:
    reached: list[int] = []
    cleaned: list[bool] = []

    def compute(pause: Callable[[], None]) -> None:
        try:
            for i in range(100):
                reached.append(i)
                try:
                    pause()
                except Exception:  # a library that swallows errors
                    reached.append(-1)
        finally:
            cleaned.append(True)

    running = hand_over(compute)
    next(running)
    next(running)
    running.close()
    assert reached == [0, 1]
    assert cleaned == [True]


def test_closing_before_the_start_computes_nothing() -> None:
    started = []
    running = hand_over(lambda pause: started.append(True))
    running.close()
    assert started == []


@pytest.mark.parametrize("error", [ValueError("from within"), KeyboardInterrupt("from within")])
@pytest.mark.parametrize("pauses", [0, 2])
def test_errors_are_raised_here(error: BaseException, pauses: int) -> None:
    def compute(pause: Callable[[], None]) -> None:
        for _ in range(pauses):
            pause()
        raise error

    running = hand_over(compute)
    for _ in range(pauses):
        next(running)
    with pytest.raises(type(error), match="from within"):
        next(running)


def test_error_thrown_in_ends_the_thread() -> None:
    running = hand_over(lambda pause: [pause() for _ in range(5)])
    next(running)
    with pytest.raises(RuntimeError, match="thrown"):
        running.throw(RuntimeError("thrown"))
