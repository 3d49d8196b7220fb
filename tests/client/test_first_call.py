"""The first call of a process, by several threads at once."""

from __future__ import annotations

import threading

import pytest
from gradoscope.client import in_process


def test_first_calls_of_several_threads_share_an_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own models and its own lock: with two, they load twice, and compute at the same time."""
    made: list[object] = []
    gate = threading.Barrier(2)

    class Slow:
        def __init__(self, device: object) -> None:
            made.append(self)
            threading.Event().wait(0.05)  # so that the other thread comes meanwhile, where nothing holds it

    monkeypatch.setattr(in_process, "InProcess", Slow)
    monkeypatch.setattr(in_process, "_instances", {})

    def call() -> None:
        gate.wait()
        in_process._instance(None, 0)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
