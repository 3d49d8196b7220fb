"""Submit, read, leave, kill, delete, in any order: each job has one end, and nothing is left behind.

Hypothesis looks for an order that breaks this. The executor, its processes and the store are real; what is computed is
not (`fake_worker`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import threading
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from gradoscope.contract.events import Event
from gradoscope.contract.jobs import Explain
from gradoscope.contract.problems import ComputationFailed, Problem, TooManyRequests
from gradoscope.service.local_executor import LocalExecutor
from gradoscope.settings import Settings
from gradoscope.storage.store import Store
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support import fake_worker

MAX_REQUESTS = 6
PATIENCE = 60  # seconds until everything has its end; only ever waited for where something is wrong


@dataclass
class Asked:
    id: str
    steps: int
    die: int | None  # the step at which the worker process ends
    reading: asyncio.Task[None] | None = None
    events: list[Event] = field(default_factory=list)
    refusal: Problem | None = None
    left: bool = False
    deleted: bool = False
    over_when_deleted: bool = False

    @property
    def over(self) -> bool:
        return self.left or self.refusal is not None or (bool(self.events) and self.events[-1].final)


class Service(RuleBasedStateMachine):
    """What people and accidents do to an executor."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.settings = Settings(store=Path(self.folder.name), max_requests=MAX_REQUESTS)
        self.store = Store(self.settings.store, self.settings.store_bytes, max_age=3600)
        self.loop = asyncio.new_event_loop()
        self.executor = LocalExecutor(self.settings, fake_worker.work)
        self.asked: list[Asked] = []
        self.poisoned = False
        self.loop.run_until_complete(self.executor.start())

    def run(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    async def read(self, one: Asked, client: str) -> None:
        options = {"fake": {"steps": one.steps} | ({"die": one.die} if one.die else {})}
        try:
            async with aclosing(self.executor.submit(Explain(one.id, b"", options=options), client)) as events:
                async for event in events:
                    one.events.append(event)
        except Problem as problem:
            one.refusal = problem

    def submit(self, steps: int, die: int | None, client: str) -> None:
        one = Asked(f"{len(self.asked):032x}", steps, die)
        self.asked.append(one)
        full = len(self.executor) >= MAX_REQUESTS
        one.reading = self.loop.create_task(self.read(one, client))
        self.run(0)
        if full:
            assert isinstance(one.refusal, (TooManyRequests, ComputationFailed))
            assert one.refusal.retry_after >= 1

    @rule(steps=st.integers(1, 40), client=st.sampled_from(["a", "b"]))
    def ask(self, steps: int, client: str) -> None:
        self.submit(steps, die=None, client=client)

    @precondition(lambda self: not self.poisoned)
    @rule(steps=st.integers(5, 9))
    def ask_for_what_kills_the_worker(self, steps: int) -> None:
        self.poisoned = True
        self.submit(steps, die=3, client="c")

    @rule(seconds=st.sampled_from([0.01, 0.05, 0.2]))
    def wait(self, seconds: float) -> None:
        self.run(seconds)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        # Drawn of all, not of those that still run: which those are hangs on the machine's speed, and what is drawn
        # must be the same when Hypothesis repeats a run.
        drawn = data.draw(st.sampled_from(range(len(self.asked))))
        running = [one for one in (*self.asked[drawn:], *self.asked[:drawn]) if not one.over]
        if not running:
            return
        one = running[0]
        one.reading.cancel()
        with suppress(asyncio.CancelledError):
            self.loop.run_until_complete(one.reading)
        one.left = True

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.asked))
        if self.store.forget(one.id):
            one.deleted = True
            one.over_when_deleted = one.over
            self.executor.forget(one.id)

    @rule()
    def kill(self) -> None:
        if self.executor.worker_pid:
            with suppress(ProcessLookupError):
                os.kill(self.executor.worker_pid, signal.SIGKILL)

    @invariant()
    def told_once(self) -> None:
        for one in self.asked:
            names = [event.name for event in one.events]
            assert names.count("accepted") <= 1
            assert names.count("panel") <= 1
            assert sum(event.final for event in one.events) <= 1
        assert len(self.executor) <= MAX_REQUESTS

    def teardown(self) -> None:
        try:
            self.loop.run_until_complete(asyncio.wait_for(self.ends(), PATIENCE))
            for one in self.asked:
                self.ended_well(one)
            assert len(self.executor) == 0
            assert b"requests_in_flight 0.0" in self.executor.telemetry.text()
        finally:
            self.loop.run_until_complete(self.executor.stop())
            worker = self.executor.worker_pid
            assert worker is None or not os.path.exists(f"/proc/{worker}")
            for thread in threading.enumerate():
                if thread.name.startswith("worker-"):
                    thread.join(10)
                    assert not thread.is_alive()
            self.loop.close()
            self.store.close()
            self.folder.cleanup()

    async def ends(self) -> None:
        await asyncio.gather(*(one.reading for one in self.asked if one.reading), return_exceptions=True)

    def ended_well(self, one: Asked) -> None:
        assert one.over, one
        record = self.store.load(one.id)
        if one.deleted:
            assert record is None
        if one.left or one.refusal:
            return
        last = one.events[-1]
        assert last.final
        if last.name == "error" and last.data["status"] == 404:
            assert one.deleted
            assert not one.over_when_deleted
        elif last.name == "error":
            # Also where it was deleted: its worker may have died twice before that.
            assert last.data["status"] == 503
            assert "died twice" in last.data["detail"]
        else:
            assert one.die is None
            assert [event.name for event in one.events if event.name != "progress"] == ["accepted", "panel", "done"]
            assert one.deleted or record["status"] == "done"


Service.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=14,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.usefixtures("forked_workers")
class TestService(Service.TestCase):
    pass
