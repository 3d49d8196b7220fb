"""Two replicas on one machine: the same maps, cancelling, a replica that is killed, pictures per second, batches."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import aclosing

import pytest
import torch
from gradoscope.contract.jobs import Explain
from gradoscope.contract.packed_map import unpack_map
from gradoscope.pipeline.context import Context
from gradoscope.pipeline.pipeline import run
from gradoscope.storage.stores import open_store

from tests.support.cluster import MICRO_BATCH, final_status, reports_when_idle
from tests.support.nets import relative
from tests.support.paths import SAMPLES, sample

FEW = {"smooth_grad": {"samples": 8}, "integrated_gradients": {"steps": 8}, "blur_integrated_gradients": {"steps": 8}}


def question(number, **fields):
    return Explain(f"{number:032x}", sample("cat.jpg"), **fields)


def long(number, steps=800):
    return question(
        number, methods=("integrated_gradients",), options={"integrated_gradients": {"steps": steps}}, targets=(number,)
    )


async def events_of(executor, job):
    return [event async for event in executor.submit(job)]


def maps(store, record):
    panels = {panel["method"]: store.read(record["id"], f"panel:{panel['id']}") for panel in record["panels"]}
    return {method: unpack_map(data) for method, data in panels.items()}


@pytest.fixture(scope="module")
def store(cluster):
    opened = open_store(cluster.settings)
    yield opened
    opened.close()


STATS_SECONDS = 4  # twice the interval at which replicas tell the router which models they have loaded


def pictures_per_second(cluster, first):
    """Of one and the same load: eight requests at once, of which no two have a map in common. And each one's share."""

    async def scenario(executor):
        jobs = [long(first + number, 24) for number in range(8)]
        began = time.monotonic()
        ends = await asyncio.gather(*(events_of(executor, job) for job in jobs))
        assert {events[-1].name for events in ends} == {"done"}
        return len(jobs) / (time.monotonic() - began)

    before = evaluations(cluster)
    result = cluster.with_executor(scenario)
    return result, [count - before[name] for name, count in evaluations(cluster).items()]


def evaluations(cluster):
    """What each replica has computed."""
    return {report["replica"]: report["counters"]["gradient_evaluations"] for report in reports_when_idle(cluster)}


def test_one_replica_and_two(cluster, capsys):
    cluster.scale(1)
    one, _ = pictures_per_second(cluster, 100)
    cluster.scale(2)
    pictures_per_second(cluster, 110)  # the new one loads the model, and the router hears of it
    time.sleep(STATS_SECONDS)
    two, shares = pictures_per_second(cluster, 120)
    with capsys.disabled():
        print(f"\npictures (24 steps) per second: one replica {one:.2f}, two {two:.2f}: × {two / one:.2f}, {shares}")
    assert len(shares) == 2
    assert min(shares) > 0, shares


def test_the_same_maps_as_on_one_machine(cluster, store, tmp_path):
    job = question(1, options=FEW, seed=3)
    record = cluster.with_executor(lambda executor: events_of(executor, job))[-1].data
    context = Context.open(cluster.settings.model_copy(update={"store": tmp_path}))
    threads = torch.get_num_threads()
    torch.set_num_threads(cluster.settings.threads)  # with others sums are rounded in another way
    try:
        here = [event for event in run(job, context) if event][-1].data
    finally:
        torch.set_num_threads(threads)
    there, ours = maps(store, record), maps(context.store, here)
    assert len(there) == 6
    differences = {method: relative(there[method], values) for method, values in ours.items()}
    assert max(differences.values()) <= 1e-5, differences
    assert record["versions"] == here["versions"]


def test_cancelling_ends_within_two_micro_batches(cluster, store):
    before = sum(evaluations(cluster).values())
    job = long(2)

    async def scenario(executor):
        async with aclosing(executor.submit(job)) as events:
            async for event in events:
                if event.name == "progress" and event.data["done"] >= 4 * MICRO_BATCH:
                    return event.data["done"]
        raise AssertionError("it was done too soon")

    seen = cluster.with_executor(scenario)
    assert sum(evaluations(cluster).values()) - before <= seen + 2 * MICRO_BATCH
    assert final_status(lambda: store.load(job.id)) == "cancelled"


def test_a_replica_that_is_killed_and_the_job_completes(cluster, capsys):
    job = long(3, 160)

    async def scenario(executor):
        events, killed, recovered = [], 0.0, 0.0
        async for event in executor.submit(job):
            events.append(event)
            if event.name == "progress" and killed and not recovered:
                recovered = time.monotonic() - killed
            if event.name == "progress" and event.data["done"] > 40 and not killed:
                (victim,) = [t["process"] for t in await ask(cluster) if t["running"]]
                os.kill(victim, signal.SIGKILL)
                killed = time.monotonic()
        return events, recovered, executor.telemetry.text().decode()

    async def ask(cluster):
        return await cluster.handle.broadcast("report", {}).results_async()

    events, recovered, metrics = cluster.with_executor(scenario)
    names = [event.name for event in events]
    assert names[-1] == "done"
    assert events[-1].data["status"] == "done"
    assert [names.count(name) for name in ("accepted", "prediction", "panel", "done")] == [1, 1, 1, 1]
    assert "gradoscope_worker_deaths_total 1.0" in metrics
    with capsys.disabled():
        print(f"\na replica was killed: the other one went on after {recovered:.2f} s")
    cluster.reports(2)  # another one takes its place


def test_deleting_ends_what_computes_it(cluster, store):
    job = long(4)

    async def scenario(executor):
        other = []
        async for event in executor.submit(job):
            other.append(event)
            if event.name == "progress" and len(other) > 3 and store.load(job.id):
                store.forget(job.id)
                executor.forget(job.id)
        return other[-1]

    assert cluster.with_executor(scenario).data["status"] == 404
    reports_when_idle(cluster)
    assert store.load(job.id) is None


def test_a_batch_is_spread_and_goes_on(cluster, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(6):
        name = ("cat", "espresso", "rocket")[number % 3]
        (folder / f"{number}.jpg").write_bytes(sample(f"{name}.jpg") + b"\0" * number)
    (folder / "bad.jpg").write_bytes(b"no picture")
    options = ["--method", "grad_cam", "--out", str(tmp_path / "out"), "--cluster", cluster.address]
    command = [sys.executable, "-m", "gradoscope", "explain", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "6 explained, 0 were there already" in done.stdout
    assert "bad.jpg: These bytes are not a picture of an allowed format" in done.stdout
    record = json.loads((tmp_path / "out" / "1.jpg" / "explanation.json").read_text())
    assert record["panels"][0]["status"] == "done"
    assert record["source"] == str(folder / "1.jpg")
    (folder / "bad.jpg").unlink()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "0 explained, 6 were there already" in again.stdout


def test_an_address_where_no_cluster_is():
    command = [sys.executable, "-m", "gradoscope", "explain", str(SAMPLES), "--cluster", "127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "There is no Ray cluster at 127.0.0.1:1" in done.stderr
