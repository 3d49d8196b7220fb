"""What must not hurt: clients that leave, long work of others, a worker that dies."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.long_jobs import LONG, idle, running, until
from tests.support.paths import sample
from tests.support.server import Server
from tests.support.streams import stream


@pytest.fixture
def server(slow_model_server):
    return slow_model_server


def test_a_grad_cam_is_answered_beside_a_long_integral(server):
    with running(server, target=11) as events:
        until(events, "partial")
        beside = httpx.post(
            f"{server.url}/api/v1/explanations",
            files={"image": sample("espresso.jpg")},
            data={"method": "grad_cam", "target": 11},
            timeout=60,
        )
        assert beside.json()["panels"][0]["status"] == "done"
        # Of progress events that nobody has read only the newest is kept: so the second from here is up to date.
        assert until(events, "progress", 2)["done"] < 500


def test_a_process_loads_what_it_needs(server):
    """The web process never loads torch, not even by unpickling one of its types from an event, such as the version's.
    A worker loads no captum before a method asks for it: it would take Matplotlib along."""
    answer = server.http.post("/api/v1/explanations", data={"sample": "cat", "method": "grad_cam", "target": 10})
    assert answer.json()["versions"]["torch"]
    worker = Path(f"/proc/{server.worker_pid()}/maps").read_text()
    assert "libtorch" in worker
    assert "matplotlib" not in worker
    assert "libtorch" not in Path(f"/proc/{server.process.pid}/maps").read_text()


@pytest.mark.parametrize("form", ["text/event-stream", "application/json"])
def test_leaving_ends_the_computation(server, form):
    """The next job is not beside a thousand-step integral any more: its turns follow one another."""
    if form == "text/event-stream":
        with running(server, target=12) as events:
            number = until(events, "accepted")["id"]
            until(events, "progress", 2)
            assert not idle(server, tries=1)  # so the check at the end would fail if the job ran on
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/api/v1/explanations", files={"image": sample("cat.jpg")}, data=LONG, timeout=2)
        number = None
    with stream(server.http, {"image": sample("rocket.jpg")}, method="grad_cam", target=12) as events:
        assert until(events, "done")["panels"][0]["status"] == "done"
    if number:
        record = server.http.get(f"/api/v1/explanations/{number}").json()
        assert record["panels"] == []  # it was ended, not finished in the background
        assert record["status"] == "cancelled"
    assert idle(server)


@pytest.fixture(scope="module")
def accelerated(slow_model, tmp_path_factory):
    """A server that looks for a faster backend while it is idle."""
    variables = slow_model | {"GRADOSCOPE_ACCELERATION": "auto"}
    running = Server(tmp_path_factory.mktemp("accelerated") / "store", **variables)
    yield running
    running.stop()


@pytest.mark.parametrize(("kind", "bound"), [("server", 0), ("accelerated", 1e-2)])
def test_a_killed_worker_comes_back_and_the_job_completes(kind, bound, request):
    """The maps are the same. With acceleration they may differ in rounding: a new worker begins with the plain backend,
    and has yet to find a faster one."""
    server = request.getfixturevalue(kind)
    options = json.dumps({"integrated_gradients": {"steps": 100}})
    fields = {"method": ["grad_cam", "integrated_gradients"], "options": options, "target": 13, "size": 128}
    undisturbed = server.http.post("/api/v1/explanations", files={"image": sample("rocket.jpg")}, data=fields).json()
    reference = server.http.get(undisturbed["panels"][1]["urls"]["npy"]).content
    server.http.delete(f"/api/v1/explanations/{undisturbed['id']}")
    answered, ended = [], threading.Event()

    def check_reachable():
        while not ended.wait(0.1):
            answered.append(httpx.get(f"{server.url}/healthz", timeout=5).status_code)

    polling = threading.Thread(target=check_reachable)
    polling.start()
    try:
        with stream(server.http, {"image": sample("rocket.jpg")}, **fields) as events:
            names = []
            for name, data in events:
                names.append(name)
                if name == "progress" and names.count("progress") == 4:
                    os.kill(server.worker_pid(), signal.SIGKILL)
                last = data
    finally:
        ended.set()
        polling.join()
    assert names[-1] == "done"
    assert (names.count("accepted"), names.count("prediction"), names.count("panel")) == (1, 1, 2)
    assert [panel["status"] for panel in last["panels"]] == ["done", "done"]
    again, before = (
        np.load(io.BytesIO(data)) for data in (server.http.get(last["panels"][1]["urls"]["npy"]).content, reference)
    )
    assert np.linalg.norm(again - before) <= bound * np.linalg.norm(before)
    assert set(answered) == {200}


def test_a_job_that_kills_the_worker_twice_is_reported(server):
    with running(server, target=14) as events:
        for _ in range(2):
            until(events, "progress", 2)
            os.kill(server.worker_pid(), signal.SIGKILL)
        problem = until(events, "error")
    assert problem["status"] == 503
    assert "died twice" in problem["detail"]
    again = httpx.post(
        f"{server.url}/api/v1/explanations", data={"target": 14, **LONG}, files={"image": sample("cat.jpg")}
    )
    assert again.status_code == 503
    assert 500 < int(again.headers["retry-after"]) <= 601
    assert "not tried again yet" in again.json()["detail"]
    with stream(server.http, {"image": sample("cat.jpg")}, method="grad_cam", target=14) as events:
        assert until(events, "done")


def test_more_work_than_one_request_may_be_is_refused(server):
    steps = {name: {"steps": 2000} for name in ("integrated_gradients", "blur_integrated_gradients")}
    fields = {"sample": "cat", "target": list(range(10)), "method": list(steps), "options": json.dumps(steps)}
    refused = server.http.post("/api/v1/explanations", data=fields)
    assert refused.status_code == 422
    assert "2,007,040,000" in refused.json()["detail"]
    assert refused.json()["errors"][0]["field"] == "options"
