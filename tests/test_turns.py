"""Runs take turns, and end together."""

from __future__ import annotations

from gradoscope.service.jobs import Event
from gradoscope.turns import side_by_side


def counting(name, turns, closed):
    try:
        for turn in range(turns):
            yield Event(name, {"turn": turn})
            yield None
    finally:
        closed.append(name)


def test_runs_side_by_side_take_turns_and_end_together():
    closed = []
    names = [e.name for e in side_by_side([counting("a", 3, closed), counting("b", 1, closed)]) if e is not None]
    assert names == ["a", "b", "a", "a"]
    assert closed == ["b", "a"]
    together = side_by_side([counting("a", 3, closed), counting("b", 3, closed)])
    assert [next(together) for _ in range(3)][2].name == "b"
    together.close()
    assert closed[2:] == ["a", "b"] or closed[2:] == ["b", "a"]
