"""What a slow reader gets, and what a retried job may tell twice."""

from __future__ import annotations

import asyncio

from gradoscope.service.event_queue import EventQueue

from tests.support.contract import accepted, done, panel_event, partial, prediction, progress


def test_a_newer_partial_takes_the_place_of_an_unread_one():
    async def scenario():
        mailbox = EventQueue()
        for number in range(1000):
            for make in (progress, partial):
                mailbox.put(make("p1", number))
        mailbox.put(partial("p2", 1))
        mailbox.put(done())
        return [await mailbox.get() for _ in range(4)]

    events = asyncio.run(scenario())
    assert [(e.name, e.data.get("panel"), e.data.get("done")) for e in events] == [
        ("progress", "p1", 999),
        ("partial", "p1", 999),
        ("partial", "p2", 1),
        ("done", None, None),
    ]


def test_a_retried_job_tells_each_panel_once():
    async def scenario():
        mailbox = EventQueue()
        for _ in range(2):
            mailbox.put(accepted(id="r"))
            mailbox.put(prediction("m"))
            mailbox.put(panel_event("p1"))
        mailbox.put(prediction("other"))
        mailbox.put(panel_event("p2"))
        mailbox.put(done())
        return [(await mailbox.get()).name for _ in range(6)]

    assert asyncio.run(scenario()) == ["accepted", "prediction", "panel", "prediction", "panel", "done"]


def test_a_reader_waits_for_what_comes_later():
    async def scenario():
        mailbox = EventQueue()
        asyncio.get_running_loop().call_later(0.01, mailbox.put, done("late"))
        return await asyncio.wait_for(mailbox.get(), 5)

    assert asyncio.run(scenario()).record.id == "late"
