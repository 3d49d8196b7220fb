"""Runs take turns, and end together."""

from __future__ import annotations

from gradoscope.pipeline import turns
from gradoscope.pipeline.turns import TimedGenerator, round_robin

from tests.support.contract import progress


def counting(name, turns, closed):
    try:
        for turn in range(turns):
            yield progress(name, turn)
            yield None
    finally:
        closed.append(name)


def test_runs_side_by_side_take_turns_and_end_together():
    closed = []
    names = [
        e.panel
        for e in round_robin([counting("a", turns=3, closed=closed), counting("b", turns=1, closed=closed)])
        if e is not None
    ]
    assert names == ["a", "b", "a", "a"]
    assert closed == ["b", "a"]
    together = round_robin([counting("a", turns=3, closed=closed), counting("b", turns=3, closed=closed)])
    assert [next(together) for _ in range(3)][2].panel == "b"
    together.close()
    assert closed[2:] == ["a", "b"] or closed[2:] == ["b", "a"]


def test_only_a_generator_s_own_turns_are_timed_and_it_is_closed(monkeypatch):
    now, closed = [0.0], []
    monkeypatch.setattr(turns.time, "monotonic", lambda: now[0])

    def steps():
        try:
            for step in range(3):
                now[0] += 1
                yield step
            now[0] += 1
            return "the end"
        finally:
            closed.append(True)

    with TimedGenerator(steps()) as whole:
        for _ in whole:
            now[0] += 100  # others' turns
    assert (whole.result, whole.seconds, closed) == ("the end", 4, [True])
    with TimedGenerator(steps()) as left:
        next(iter(left))
    assert closed == [True, True]
