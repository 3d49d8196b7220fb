"""A replica without a cluster around it: its worker in a thread, events, cancelling, its reports."""

from __future__ import annotations

import asyncio
import pickle
from contextlib import aclosing
from pathlib import Path

import pytest
from gradoscope.contract.jobs import Explain, Labels, Predict, RunExperiment
from gradoscope.contract.problems import DeadlinePassed, Unavailable
from gradoscope.contract.records import Ending
from gradoscope.pipeline.resume import picture_mark
from gradoscope.service.cluster.batch_job import BatchJob, CheckBatch
from gradoscope.service.cluster.explainer import MAX_UNANSWERED_CHECKS, Explainer
from gradoscope.settings import Settings
from gradoscope.storage.store import Store

from tests.support.nets import LITE0
from tests.support.paths import SAMPLES, sample

QUICK = Explain("", b"", methods=("grad_cam",))


def long(number):
    options = {"integrated_gradients": {"steps": 2000}}
    return Explain(f"{number:032x}", sample("cat.jpg"), methods=tuple(options), options=options)


async def answers_of(explainer, job, client="", seconds=60):
    return [answer async for answer in explainer.run(job, client, "", seconds)]


async def running(explainer, job, seconds=60):
    """The rest of what a run yields, after its first progress."""
    events = explainer.run(job, "", "", seconds)
    async for kind, event in events:
        if kind == "event" and event.name == "progress":
            return events
    raise AssertionError("the job was done before its first progress")


async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)


async def jobs(explainer, _store):
    (first, report), (last, event) = await answers_of(explainer, Labels(LITE0))
    assert (first, last) == ("report", "event")
    assert report["catalogue"] is None  # it has not changed
    assert len(event.data["labels"]) == 1000
    _, (_, refused) = await answers_of(explainer, Predict(sample("cat.jpg"), models=("no_such",)))
    assert refused.data["status"] == 404
    (_, accepted), _, (_, done) = await answers_of(explainer, RunExperiment("graph"))
    assert accepted.name == "accepted"
    assert done.result.numbers["gradients"] == {"x": -4, "y": -4, "z": 3}


async def batch_jobs(explainer, _store):
    _, (_, answer) = await answers_of(explainer, CheckBatch(QUICK))
    about = answer.result.about
    pictures = ((str(SAMPLES / "cat.jpg"), sample("cat.jpg")), ("bad.jpg", b"no picture"))
    events = [event for kind, event in await answers_of(explainer, BatchJob(QUICK, pictures)) if kind == "event"]
    assert sorted((event.name, event.index) for event in events[:-1]) == [
        ("picture_done", 0),
        ("picture_failed", 1),
    ]
    assert events[-1].name == "done"
    (whole,) = [event for event in events if event.name == "picture_done"]
    assert whole.record.mark == picture_mark(sample("cat.jpg"), about)
    assert whole.record.source == str(SAMPLES / "cat.jpg")
    assert {"explanation.json", "contact_sheet.png"} <= {name for name, _ in whole.files}


async def endings(explainer, store):
    async with aclosing(await running(explainer, long(1))):
        assert (await explainer.report({}))["running"] == 1
    await until(lambda: store.load(long(1).id)["status"] == "cancelled")

    rest = await running(explainer, long(2))
    store.forget(long(2).id)
    await explainer.forget(long(2).id)
    assert [event async for _, event in rest][-1].data["status"] == 404

    rest = await running(explainer, long(3))
    await explainer.record_end(long(3).id, Ending(status="failed", problem=DeadlinePassed("late").body()))
    await until(lambda: store.load(long(3).id)["status"] == "failed")
    await rest.aclose()
    await asyncio.sleep(0.1)
    assert store.load(long(3).id)["problem"]["status"] == 504

    rest = await running(explainer, long(4), seconds=-4)
    assert [event async for _, event in rest][-1].data["status"] == 504  # its caller has gone
    assert (await explainer.report({}))["running"] == 0


async def report(explainer, _store):
    report = await explainer.refresh()
    assert report["replica"] == "r1"
    assert any(model.id == LITE0 for model in report["catalogue"].models)
    assert len(pickle.dumps(report)) < 100 * 1024  # more than that would go through Ray's object store
    assert (await explainer.report({"r1": report["catalogue_version"]}))["catalogue"] is None
    await until(lambda: explainer.record_routing_stats() == {"models": [LITE0]})
    for _ in range(2 * MAX_UNANSWERED_CHECKS):
        explainer.check_health()
        await asyncio.sleep(0.01)


def test_a_replica(tmp_path, slow_model):
    """One test for all, because starting a replica takes as long as starting a worker."""
    models = Path(slow_model["GRADOSCOPE_MODELS"])
    settings = Settings(store=tmp_path, models=models, acceleration="none", micro_batch=2)
    store = Store(tmp_path, settings.store_bytes, max_age=3600)

    async def play():
        explainer = Explainer.__new__(Explainer)
        await explainer.__init__(settings.model_dump(mode="json"), "r1")
        for part in (jobs, batch_jobs, endings, report):
            await part(explainer, store)
        explainer.stop()
        await until(lambda: not explainer._thread.is_alive())
        with pytest.raises(RuntimeError, match="has ended"):
            explainer.check_health()

    asyncio.run(asyncio.wait_for(play(), 120))


def test_one_that_cannot_start_says_why(tmp_path):
    async def play():
        explainer = Explainer.__new__(Explainer)
        await explainer.__init__({"store": str(tmp_path), "device": "nonsense"}, "r1")

    with pytest.raises(Unavailable, match="cannot start"):
        asyncio.run(play())
