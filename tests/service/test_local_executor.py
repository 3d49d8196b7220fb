"""The executor around a real worker: deaths leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
from gradoscope.contract.jobs import Explain, Labels, Measure, Predict
from gradoscope.contract.problems import Unprocessable
from gradoscope.service import local_executor as local
from gradoscope.service.local_executor import LocalExecutor
from gradoscope.service.worker import Worker
from gradoscope.settings import Settings
from gradoscope.storage.store import Store
from gradoscope.web.routes.results import forget

from tests.support import deaf_worker, fake_worker
from tests.support.paths import sample


def quick_model_settings(quick_model, **given):
    return Settings(models=Path(quick_model["GRADOSCOPE_MODELS"]), acceleration="none", **given)


def line_threads():
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("worker-"))


async def readiness(executor):
    for _ in range(600):
        if executor.unready is None:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(executor.unready)


async def result(executor, job):
    return [event async for event in executor.submit(job)][-1]


def test_a_death_leaves_no_thread_and_no_open_line(quick_model, tmp_path):
    async def scenario():
        executor = LocalExecutor(quick_model_settings(quick_model, store=tmp_path))
        await executor.start()
        await readiness(executor)
        files = len(os.listdir("/proc/self/fd"))
        for _ in range(2):
            os.kill(executor.worker_pid, signal.SIGKILL)
            while executor.unready is None:
                await asyncio.sleep(0.01)
            waiting = asyncio.create_task(result(executor, Labels("efficientnet_lite0")))  # while none is there
            await readiness(executor)
            assert len((await waiting).data["labels"]) == 1000
            assert line_threads() == ["worker-reader", "worker-writer"]
        assert len(os.listdir("/proc/self/fd")) <= files
        event = await result(executor, Predict(sample("cat.jpg")))
        assert event.data["predictions"][0]["classes"][0]["index"] == 282
        assert len(executor) == 0
        await executor.stop()
        assert executor.unready == "the server is shutting down"

    asyncio.run(scenario())
    for thread in threading.enumerate():
        if thread.name.startswith("worker-"):
            thread.join(5)
    assert line_threads() == []


@pytest.mark.parametrize("work", [deaf_worker.work, deaf_worker.work_that_mumbles])
def test_a_worker_that_hangs_is_ended_and_its_job_completes(work, tmp_path, monkeypatch, forked_workers):
    """Whether or not more is asked of it meanwhile, and whether or not those who ask stay."""
    monkeypatch.setattr(local, "PING_SECONDS", 0.1)

    async def scenario():
        executor = LocalExecutor(Settings(store=tmp_path), work)
        await executor.start()
        await readiness(executor)
        first = executor.worker_pid
        waiting = asyncio.create_task(result(executor, fake(1)))
        number = 2
        while not waiting.done():
            leaving = asyncio.create_task(result(executor, fake(number)))
            await asyncio.sleep(0.05)
            leaving.cancel()
            number += 1
        assert (await waiting).name == "done"
        assert executor.worker_pid != first
        assert not os.path.exists(f"/proc/{first}")
        await executor.stop()

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_records_say_what_became_of_what_no_worker_computes_any_more(tmp_path, forked_workers):
    """Left by a server that was killed, by clients while there was no worker, and by the deadline."""
    store = Store(tmp_path, max_bytes=10**6, max_age=3600)
    store.create("old", {"status": "running"})
    store.create("whole", {"status": "done"})
    store.close()  # as when its process ends

    async def scenario():
        executor = LocalExecutor(Settings(store=tmp_path, deadline=3), fake_worker.work)
        await executor.start()
        await readiness(executor)
        asked = [asyncio.create_task(result(executor, fake(number, 10**6))) for number in range(3)]
        while not all(store.load(f"{number:032x}") for number in range(3)):
            await asyncio.sleep(0.01)
        killed = executor.worker_pid
        os.kill(killed, signal.SIGKILL)
        while executor.unready is None and executor.worker_pid == killed:  # another may be there within a look
            await asyncio.sleep(0)
        for left in asked[:2]:
            left.cancel()
        await asyncio.sleep(0)
        assert (await asked[2]).data["status"] == 504
        assert len(executor) == 0
        await readiness(executor)
        await executor.stop()

    asyncio.run(asyncio.wait_for(scenario(), 60))
    assert [store.load(f"{number:032x}")["status"] for number in range(3)] == ["cancelled", "cancelled", "failed"]
    assert store.load(f"{2:032x}")["problem"]["title"] == "Deadline passed"
    assert store.load("old")["status"] == "cancelled"
    assert store.load("whole")["status"] == "done"


def fake(number, steps=2):
    return Explain(f"{number:032x}", b"", options={"fake": {"steps": steps}})


class FakeConnection:
    """A worker's end of the connection: what arrives at each wait for messages; at last the message to stop."""

    def __init__(self, *arrivals):
        self.arrivals, self.arrived, self.sent = [*arrivals, ("stop",)], [], []

    def poll(self, seconds=0):
        if seconds != 0 and not self.arrived:
            self.arrived.append(self.arrivals.pop(0))
        return bool(self.arrived)

    def recv(self):
        return self.arrived.pop(0)

    def send(self, message):
        self.sent.append(message)


@pytest.mark.parametrize("deleted", [False, True])
def test_a_worker_lets_go_of_pictures_when_one_is_deleted(deleted, tmp_path, quick_model):
    """What it remembers of them goes at once; what it knows of models stays."""
    connection = FakeConnection(("run", 1, Predict(sample("cat.jpg")), "", ""), *[("forget", "x")] * deleted)
    worker = Worker(connection, quick_model_settings(quick_model, store=tmp_path))
    with pytest.raises(EOFError):
        worker.serve()
    assert connection.sent[-1][2].name == "result"
    assert (worker._context.picture_cache.currsize == 0) is deleted
    assert worker._context.zoo.loaded == ("efficientnet_lite0",)


def test_a_default_model_that_cannot_be_had_takes_no_other_with_it(tmp_path, quick_model, caplog):
    """The worker is ready all the same."""
    cards = tmp_path / "models"
    shutil.copytree(quick_model["GRADOSCOPE_MODELS"], cards)
    (cards / "broken.toml").write_text('title = "Broken"\n')
    jobs = [Predict(sample("cat.jpg"), models=models) for models in ((), ("efficientnet_lite0",))]
    connection = FakeConnection(*(("run", number, job, "", "") for number, job in enumerate(jobs)))
    worker = Worker(
        connection, quick_model_settings({"GRADOSCOPE_MODELS": cards}, store=tmp_path, default_model="broken")
    )
    assert [message[0] for message in connection.sent] == ["ready"]
    with pytest.raises(EOFError):
        worker.serve()
    refused, answered = (message[2] for message in connection.sent if message[0] == "event")
    assert refused.problem.status == 503
    assert "broken.toml: architecture: is missing" in refused.problem.detail
    assert answered.result.predictions[0].classes[0].index == 282
    assert "the default model cannot be used: broken.toml" in caplog.text


def test_deleting_an_explanation_tells_the_worker(tmp_path):
    async def scenario():
        executor = LocalExecutor(Settings(store=tmp_path, acceleration="none"))
        executor._loop = asyncio.get_running_loop()
        executor.forget("r")  # before there is a worker there is nothing to forget
        await asyncio.sleep(0)
        posted = []
        executor._worker_process = type("Link", (), {"post": lambda self, *message: posted.append(message)})()
        store = Store(tmp_path, max_bytes=1000, max_age=60)
        store.create("r", {})
        forget("r", store, executor, None)
        await asyncio.sleep(0)
        return posted

    assert asyncio.run(scenario()) == [("forget", "r")]


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


def test_a_job_that_cannot_be_sent_is_refused_before_it_is_admitted(tmp_path, forked_workers):
    """And whatever else cannot be sent later ends the worker, which is replaced: no job waits for ever."""

    async def scenario():
        executor = LocalExecutor(Settings(store=tmp_path), fake_worker.work)
        await executor.start()
        await readiness(executor)
        job = Explain("0" * 32, b"picture", options={"fake": {"steps": deep(100_000)}})
        for unsendable in (job, Measure(job, "p1")):
            with pytest.raises(Unprocessable):
                await result(executor, unsendable)
        assert len(executor) == 0
        first = executor.worker_pid
        waiting = asyncio.create_task(result(executor, fake(1, 200)))
        await asyncio.sleep(0)
        executor._post("run", 99, lambda: None, "", "")
        assert (await waiting).name == "done"
        assert executor.worker_pid != first
        await executor.stop()

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_the_next_worker_is_started_whatever_goes_wrong_meanwhile(tmp_path, monkeypatch, forked_workers):
    """With the job that is blamed, and with the start itself."""

    async def scenario():
        executor = LocalExecutor(Settings(store=tmp_path), fake_worker.work)
        await executor.start()
        await readiness(executor)
        spawn, failures = executor._spawn, [OSError("too many open files")]

        def spawn_later():
            if failures:
                raise failures.pop()
            spawn()

        def broken():
            raise RecursionError

        monkeypatch.setattr(executor, "_spawn", spawn_later)
        monkeypatch.setattr(executor._crash_retry, "worker_died", broken)
        monkeypatch.setattr(executor, "_respawn_later", lambda: executor._loop.call_soon(executor._respawn))
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        os.kill(executor.worker_pid, signal.SIGKILL)
        while failures:
            await asyncio.sleep(0.01)
        await readiness(executor)
        assert failures == []
        assert (await result(executor, fake(1))).name == "done"
        await executor.stop()

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_a_worker_that_is_stopped_is_not_ready(tmp_path):
    executor = LocalExecutor(Settings(store=tmp_path), fake_worker.work)
    executor._unready_reason = None
    executor._unanswered_pings = local.SILENT_PINGS
    assert executor.unready is None
    executor._unanswered_pings += 1
    assert "said nothing for 60 s" in executor.unready
    executor._receive(("pong",))
    assert executor.unready is None
