"""Which events a slow reader gets, and that a retried job repeats none."""

from __future__ import annotations

import asyncio

from gradoscope.service.event_queue import EventQueue

from tests.support.contract import accepted, done, panel_event, partial, prediction, progress


def test_a_newer_partial_takes_the_place_of_an_unread_one():
    async def scenario():
        queue = EventQueue()
        for number in range(1000):
            for make in (progress, partial):
                queue.put(make("p1", number))
        queue.put(partial("p2", 1))
        queue.put(done())
        return [await queue.get() for _ in range(4)]

    events = asyncio.run(scenario())
    assert [(e.name, e.data.get("panel"), e.data.get("done")) for e in events] == [
        ("progress", "p1", 999),
        ("partial", "p1", 999),
        ("partial", "p2", 1),
        ("done", None, None),
    ]


def test_a_retried_job_sends_each_panel_once():
    async def scenario():
        queue = EventQueue()
        for _ in range(2):
            queue.put(accepted(id="r"))
            queue.put(prediction("m"))
            queue.put(panel_event("p1"))
        queue.put(prediction("other"))
        queue.put(panel_event("p2"))
        queue.put(done())
        return [(await queue.get()).name for _ in range(6)]

    assert asyncio.run(scenario()) == ["accepted", "prediction", "panel", "prediction", "panel", "done"]


def test_a_reader_waits_for_what_comes_later():
    async def scenario():
        queue = EventQueue()
        asyncio.get_running_loop().call_later(0.01, queue.put, done("late"))
        return await asyncio.wait_for(queue.get(), 5)

    assert asyncio.run(scenario()).record.id == "late"
