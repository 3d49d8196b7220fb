"""Results of experiments that are kept: the same question is answered at once, and only to whoever asked it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from gradoscope.contract.experiment_events import ExperimentProgressEvent
from gradoscope.contract.jobs import RunExperiment
from gradoscope.service import experiment_results as results
from gradoscope.service.event_queue import EventQueue
from gradoscope.service.experiment_results import ExperimentResults
from gradoscope.service.local_executor import LocalExecutor
from gradoscope.settings import Settings

from tests.support import experiment_worker
from tests.support.contract import experiment_done

JOB = RunExperiment("graph", {"expression": "x", "values": {"x": 1.0}}, 3, "anna")


def test_the_same_question_is_known():
    known = ExperimentResults()
    assert known.find(JOB) is None
    known.add(JOB, experiment_done(value=1))
    assert known.find(replace(JOB, parameters=dict(reversed(JOB.parameters.items())))).result.numbers == {"value": 1}


@pytest.mark.parametrize(
    "other", [{"experiment": "other"}, {"parameters": {}}, {"seed": 4}, {"owner": "berta"}, {"owner": ""}]
)
def test_another_question_is_not(other):
    known = ExperimentResults()
    known.add(JOB, experiment_done())
    assert known.find(replace(JOB, **other)) is None


def test_another_version_is_not(monkeypatch):
    known = ExperimentResults()
    known.add(JOB, experiment_done())
    monkeypatch.setattr(results, "VERSION", "another")
    assert known.find(JOB) is None


def test_the_least_recently_used_go_first():
    known = ExperimentResults(max_results=2)
    first, second, third = (replace(JOB, seed=seed) for seed in range(3))
    known.add(first, experiment_done())
    known.add(second, experiment_done())
    assert known.find(first) is not None
    known.add(third, experiment_done())
    assert known.find(second) is None
    assert known.find(first) is not None
    assert len(known) == 2


def test_all_together_have_a_limit_of_bytes():
    one = len(experiment_done(value="x" * 1000).result.model_dump_json())
    known = ExperimentResults(max_bytes=int(2.5 * one))
    for seed in range(5):
        known.add(replace(JOB, seed=seed), experiment_done(value="x" * 1000))
    assert len(known) == 2
    large = replace(JOB, seed=99)
    known.add(large, experiment_done(value="x" * 10_000))  # larger than all that may be kept
    assert known.find(large) is None
    assert len(known) == 2


def test_a_newer_progress_takes_the_place_of_an_unread_one():
    async def scenario():
        queue = EventQueue()
        for number in range(100):
            queue.put(experiment_done().accepted(seconds=1))
            queue.put(ExperimentProgressEvent(done=number, total=100))
        queue.put(experiment_done())
        return [await queue.get() for _ in range(3)]

    accepted, progress, done = asyncio.run(scenario())
    assert (accepted.name, progress.done, done.name) == ("accepted", 99, "done")


# The executor, with a worker that counts


async def events(executor, job):
    return [event async for event in executor.submit(job)]


def run(tmp_path, scenario, **settings):
    async def main():
        executor = LocalExecutor(Settings(store=tmp_path, **settings), experiment_worker.work)
        await executor.start()
        try:
            await executor.catalogue()  # until the worker is ready: before it a job only waits
            return await scenario(executor)
        finally:
            await executor.stop()

    return asyncio.run(main())


def test_the_executor_answers_the_same_question_without_the_worker(tmp_path):
    async def scenario(executor):
        first = await events(executor, JOB)
        again = await events(executor, JOB)
        other = await events(executor, replace(JOB, owner="berta"))
        return first, again, other, len(executor)

    first, again, other, left = run(tmp_path, scenario)
    assert [event.name for event in first] == ["accepted", "progress", "done"]
    assert [event.name for event in again] == ["accepted", "done"]
    assert again[0].parameters == first[0].parameters
    assert again[-1].to_dict() == first[-1].to_dict()
    assert first[-1].result.numbers == {"runs": 1}
    assert other[-1].result.numbers == {"runs": 2}
    assert left == 0


def test_the_same_question_is_answered_while_every_place_is_taken(tmp_path):
    async def scenario(executor):
        await events(executor, JOB)
        waiting = executor.submit(RunExperiment(experiment_worker.FOR_EVER))
        await anext(waiting)
        again = await events(executor, JOB)
        await waiting.aclose()
        return again

    assert run(tmp_path, scenario, max_requests=1)[-1].name == "done"


def test_a_run_past_the_deadline_ends_with_a_problem_and_is_not_kept(tmp_path):
    async def scenario(executor):
        found = await events(executor, RunExperiment(experiment_worker.FOR_EVER))
        return found, await events(executor, RunExperiment("cancelled"))

    found, cancelled = run(tmp_path, scenario, deadline=1)
    assert found[-1].problem.status == 504
    assert cancelled[-1].result.numbers == {"cancelled": 1}


def test_whoever_leaves_ends_the_run(tmp_path):
    async def scenario(executor):
        running = executor.submit(RunExperiment(experiment_worker.FOR_EVER))
        await anext(running)
        await running.aclose()
        return len(executor), await events(executor, RunExperiment("cancelled"))

    left, cancelled = run(tmp_path, scenario)
    assert left == 0
    assert cancelled[-1].result.numbers == {"cancelled": 1}
