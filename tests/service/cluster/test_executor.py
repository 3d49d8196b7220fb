"""The executor over a handle that computes nothing: what becomes of jobs when replicas die, are full, or are gone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from gradoscope.contract.events import ResultEvent
from gradoscope.contract.jobs import Explain, Labels, Refresh
from gradoscope.contract.predictions import LabelList
from gradoscope.contract.problems import ComputationFailed, TooManyRequests
from gradoscope.service.cluster import executor as executor_module
from gradoscope.service.cluster.executor import ClusterExecutor
from gradoscope.settings import Settings
from ray.exceptions import ActorDiedError
from ray.serve.exceptions import BackPressureError

from tests.support.contract import accepted, catalogue, done, model_row, panel_event

DONE = (accepted(), panel_event(), done())
FOREVER = object()


class Response:
    """What a `run` yields: events, then an exception, or nothing for ever."""

    def __init__(self, script):
        self.script, self.cancelled = script, False

    async def __aiter__(self):
        for event in self.script:
            await asyncio.sleep(0)
            if event is FOREVER:
                await asyncio.Event().wait()
            if isinstance(event, Exception):
                raise event
            yield event if isinstance(event, tuple) else ("event", event)

    def cancel(self):
        self.cancelled = True


class Answers:
    def __init__(self, answers):
        self.answers = answers

    async def results_async(self, **options):
        return self.answers


class Handle:
    """Answers each call with the next of `scripts`, and remembers the broadcasts."""

    def __init__(self, *scripts):
        self.scripts, self.responses, self.models, self.broadcasts = list(scripts), [], [], []
        self.replicas = [report("r1", 1)]

    def options(self, multiplexed_model_id, **options):
        self.models.append(multiplexed_model_id)
        return self

    def remote(self, *arguments):
        self.responses.append(Response(self.scripts.pop(0)))
        return self.responses[-1]

    def broadcast(self, method, *arguments):
        if method != "report":
            self.broadcasts.append((method, *arguments))
        return Answers(self.replicas if method in ("report", "refresh") else [None])


def report(replica, edition, layers=None, evaluations=5):
    effort = {"micro_batches": 1, "gradient_evaluations": evaluations, "models": 1, "model_bytes": 7}
    return {
        "replica": replica,
        "catalogue_version": edition,
        "catalogue": catalogue(model_row("m", layers)),
        "counters": effort,
    }


def job(id="x"):
    return Explain(id, b"")


async def events_of(executor, job):
    return [event async for event in executor.submit(job)]


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(executor_module, "POLL_SECONDS", 0.02)


def scene(handle, play, **settings):
    async def run():
        async def connect():
            return handle

        executor = ClusterExecutor(Settings(**settings), connect)
        await executor.start()
        try:
            return await play(executor)
        finally:
            await executor.stop()
            assert len(executor) == 0

    return asyncio.run(asyncio.wait_for(run(), 30))


def test_events_come_through_and_the_model_finds_its_replica():
    handle = Handle(DONE)
    assert tuple(scene(handle, lambda executor: events_of(executor, job()))) == DONE
    assert handle.models == ["efficientnet_lite0"]


def test_a_dead_replica_means_one_more_try_that_tells_nothing_twice():
    handle = Handle([*DONE[:2], ActorDiedError()], DONE)

    async def play(executor):
        return await events_of(executor, job()), executor.telemetry.text().decode()

    events, metrics = scene(handle, play)
    assert tuple(events) == DONE
    assert "gradoscope_worker_deaths_total 1.0" in metrics


def test_one_that_kills_twice_has_failed_and_is_not_tried_again_soon():
    handle = Handle([DONE[0], ActorDiedError()], [ActorDiedError()])

    async def play(executor):
        events = await events_of(executor, job())
        with pytest.raises(ComputationFailed, match="not tried again yet"):
            await events_of(executor, job("y"))
        await asyncio.sleep(0)
        return events

    events = scene(handle, play)
    assert events[-1].data["status"] == 503
    assert "died twice" in events[-1].data["detail"]
    assert [(method, id, end.status) for method, id, end in handle.broadcasts] == [("record_end", "x", "failed")]


def test_those_beside_a_killer_are_tried_again_one_at_a_time():
    handle = Handle([ActorDiedError()], [ActorDiedError()], [ActorDiedError()], DONE)

    async def play(executor):
        return await asyncio.gather(events_of(executor, job("x")), events_of(executor, Explain("y", b"other")))

    first, second = scene(handle, play)
    assert first[-1].name == "error"
    assert tuple(second) == DONE


def test_full_replicas_are_told_as_such():
    handle = Handle([BackPressureError(1, 1)])

    async def play(executor):
        (event,) = await events_of(executor, job())
        return event.data

    refused = scene(handle, play)
    assert refused["status"] == 429
    assert refused["retry_after"] >= 1
    assert handle.broadcasts == []


def test_the_limit_counts_for_each_replica():
    handle = Handle([FOREVER], [FOREVER])

    async def play(executor):
        waiting = [asyncio.create_task(events_of(executor, job(str(number)))) for number in range(2)]
        await asyncio.sleep(0.01)
        with pytest.raises(TooManyRequests):
            await events_of(executor, job())
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    scene(handle, play, max_requests=1, cluster_replicas_max=2)


def test_leaving_cancels_the_call():
    handle = Handle([DONE[0], FOREVER])

    async def play(executor):
        async with aclosing(executor.submit(job())) as events:
            await anext(events)
        await asyncio.sleep(0.01)
        return handle.responses[0].cancelled

    assert scene(handle, play)
    assert handle.broadcasts == []  # the replica notes it


def test_the_deadline_ends_the_call_and_is_noted():
    handle = Handle([DONE[0], FOREVER])
    events = scene(handle, lambda executor: events_of(executor, job()), deadline=0.05)
    assert events[-1].data["status"] == 504
    assert handle.responses[0].cancelled
    assert [(method, id, end.problem.status) for method, id, end in handle.broadcasts] == [("record_end", "x", 504)]


def test_deleting_reaches_all_replicas():
    handle = Handle([DONE[0], FOREVER])

    async def play(executor):
        events = []
        async for event in executor.submit(job()):
            events.append(event)
            executor.forget("x")
        return events

    assert scene(handle, play)[-1].data["status"] == 404
    assert handle.broadcasts[-1] == ("forget", "x")


def test_what_replicas_tell_is_one_catalogue_and_one_sum():
    changed = [("report", report("r1", 2, ["late"])), ResultEvent(result=LabelList(labels=[]))]
    handle = Handle(changed)
    handle.replicas = [report("r1", 1), report("r2", 1, evaluations=8)]

    async def play(executor):
        assert (await executor.catalogue()).models[0].layers is None
        await events_of(executor, Labels("m"))
        return await executor.catalogue(), executor.telemetry.text().decode()

    known, metrics = scene(handle, play)
    assert [layer.name for layer in known.models[0].layers] == ["late"]
    assert "gradoscope_gradient_evaluations_total 13.0" in metrics
    assert "gradoscope_models_loaded 2.0" in metrics
    assert handle.models == ["m"]


def test_a_replica_that_is_heard_of_by_an_answer_first_is_known_when_it_is_asked():
    handle = Handle([("report", report("r2", 3) | {"catalogue": None}), ResultEvent(result=LabelList(labels=[]))])

    async def play(executor):
        handle.replicas.append(report("r2", 3, ["known"]))
        await events_of(executor, Labels("m"))
        while (await executor.catalogue()).models[0].layers is None:
            await asyncio.sleep(0.01)
        return executor.telemetry.text().decode()

    metrics = scene(handle, play)
    assert "gradoscope_worker_starts_total 2.0" in metrics
    assert "gradoscope_gradient_evaluations_total 10.0" in metrics


def test_looking_again_is_for_all_replicas():
    handle = Handle()
    (event,) = scene(handle, lambda executor: events_of(executor, Refresh()))
    assert event.name == "result"
    assert handle.broadcasts == [("refresh",)]
    assert handle.responses == []


def test_without_a_cluster_it_says_so():
    async def play(executor):
        await asyncio.sleep(0.01)
        return executor.unready

    async def connect():
        raise RuntimeError("no head")

    async def run():
        executor = ClusterExecutor(Settings(), connect)
        await executor.start()
        try:
            return await play(executor)
        finally:
            await executor.stop()

    assert "no head" in asyncio.run(run())
