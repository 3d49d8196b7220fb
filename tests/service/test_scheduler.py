"""Fair turns, without processes: runs are plain generators."""

from __future__ import annotations

from gradoscope.errors import Refused
from gradoscope.service.jobs import Event
from gradoscope.service.scheduler import Scheduler


def counting(name, turns, closed=None):
    try:
        for turn in range(turns):
            yield Event("progress", {"panel": name, "done": turn})
            yield None
        yield Event("done", {"name": name})
    finally:
        if closed is not None:
            closed.append(name)


def drain(scheduler):
    told = []
    while len(scheduler):
        told.extend((number, event.name) for number, event in scheduler.turn())
    return told


def test_runs_take_turns_by_micro_batch():
    scheduler = Scheduler()
    scheduler.add(1, counting("long", 100))
    scheduler.add(2, counting("short", 3))
    told = drain(scheduler)
    assert [number for number, _ in told[:6]] == [1, 2, 1, 2, 1, 2]
    assert told.index((2, "done")) < 10
    assert told[-1] == (1, "done")


def test_cancel_closes_the_run_where_it_stands():
    scheduler, closed = Scheduler(), []
    scheduler.add(1, counting("one", 100, closed))
    list(scheduler.turn())
    scheduler.cancel(1)
    assert closed == ["one"]
    assert len(scheduler) == 0
    assert list(scheduler.turn()) == []
    scheduler.cancel(1)  # a cancel that crosses the end is fine


def test_an_exception_ends_only_its_own_run():
    def refusing():
        yield None
        raise Refused("no layer")

    def broken():
        yield None
        raise RuntimeError("secret path /x")

    scheduler = Scheduler()
    scheduler.add(1, refusing())
    scheduler.add(2, broken())
    scheduler.add(3, counting("three", 3))
    events = []
    while len(scheduler):
        events.extend(scheduler.turn())
    final = {number: event for number, event in events if event.final}
    assert final[1].data["status"] == 422
    assert final[1].data["detail"] == "no layer"
    assert final[2].data["status"] == 503
    assert final[3].name == "done"
