"""The executor around a real worker: deaths leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

from conftest import sample
from gradoscope.service.jobs import Labels, Predict
from gradoscope.service.local import LocalExecutor
from gradoscope.settings import Settings


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


def test_a_death_leaves_no_thread_and_no_open_line(tmp_path):
    async def scenario():
        executor = LocalExecutor(Settings(store=tmp_path))
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
