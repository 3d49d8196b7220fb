"""Fair turns, without processes: runs are plain generators."""

from __future__ import annotations

from gradoscope.contract.problems import Refused
from gradoscope.service.scheduler import Scheduler

from tests.support.contract import done, progress


def counting(name, turns, closed=None):
    try:
        for turn in range(turns):
            yield progress(name, turn)
            yield None
        yield done(name)
    finally:
        if closed is not None:
            closed.append(name)


def drain(scheduler):
    events = []
    while len(scheduler):
        events.extend((number, event.name) for number, event in scheduler.turn())
    return events


def test_runs_take_turns_by_micro_batch():
    scheduler = Scheduler()
    scheduler.add(1, counting("long", turns=100))
    scheduler.add(2, counting("short", turns=3))
    events = drain(scheduler)
    assert [number for number, _ in events[:6]] == [1, 2, 1, 2, 1, 2]
    assert events.index((2, "done")) < 10
    assert events[-1] == (1, "done")


def test_cancel_closes_the_run_where_it_stands():
    scheduler, closed = Scheduler(), []
    scheduler.add(1, counting("one", turns=100, closed=closed))
    list(scheduler.turn())
    scheduler.cancel(1)
    assert closed == ["one"]
    assert len(scheduler) == 0
    assert list(scheduler.turn()) == []
    scheduler.cancel(1)  # it has ended already: no error


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
    scheduler.add(3, counting("three", turns=3))
    events = []
    while len(scheduler):
        events.extend(scheduler.turn())
    final = {number: event for number, event in events if event.final}
    assert final[1].data["status"] == 422
    assert final[1].data["detail"] == "no layer"
    assert final[2].data["status"] == 503
    assert final[3].name == "done"


def test_one_client_with_many_jobs_takes_no_more_turns_than_another_with_one():
    scheduler = Scheduler()
    for number in range(20):
        scheduler.add(number, counting(str(number), turns=100), "many")
    scheduler.add(20, counting("one", turns=10), "single")
    events = drain(scheduler)
    before = [number for number, _ in events[: events.index((20, "done"))]]
    assert before.count(20) == 10
    assert len(before) - 10 <= 11  # the twenty jobs of the other client together had as many turns
    assert before[0::2][:10] == list(range(10))  # and each of the twenty in its turn


def test_a_client_that_comes_again_waits_for_its_turn():
    scheduler = Scheduler()
    for number, client in enumerate("aab"):
        scheduler.add(number, counting(client, turns=3), client)
    assert [n for _ in range(4) for n, _ in scheduler.turn()] == [0, 2, 1, 2]
    scheduler.cancel(1)
    scheduler.cancel(0)
    scheduler.add(3, counting("again", turns=1), "a")
    assert [n for _ in range(2) for n, _ in scheduler.turn()] == [2, 3]
