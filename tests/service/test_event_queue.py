"""What a slow reader gets, and what a retried job may tell twice."""

from __future__ import annotations

import asyncio

from gradoscope.contract.jobs import Event
from gradoscope.service.event_queue import EventQueue


def test_a_newer_partial_takes_the_place_of_an_unread_one():
    async def scenario():
        mailbox = EventQueue()
        for done in range(1000):
            for name in ("progress", "partial"):
                mailbox.put(Event(name, {"panel": "p1", "done": done}))
        mailbox.put(Event("partial", {"panel": "p2", "done": 1}))
        mailbox.put(Event("done", {}))
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
            mailbox.put(Event("accepted", {"id": "r", "panels": []}))
            mailbox.put(Event("prediction", {"model": "m"}))
            mailbox.put(Event("panel", {"panel": {"id": "p1"}, "map": None}))
        mailbox.put(Event("prediction", {"model": "other"}))
        mailbox.put(Event("panel", {"panel": {"id": "p2"}, "map": None}))
        mailbox.put(Event("done", {}))
        return [(await mailbox.get()).name for _ in range(6)]

    assert asyncio.run(scenario()) == ["accepted", "prediction", "panel", "prediction", "panel", "done"]


def test_a_reader_waits_for_what_comes_later():
    async def scenario():
        mailbox = EventQueue()
        asyncio.get_running_loop().call_later(0.01, mailbox.put, Event("done", {"late": True}))
        return await asyncio.wait_for(mailbox.get(), 5)

    assert asyncio.run(scenario()).data == {"late": True}
