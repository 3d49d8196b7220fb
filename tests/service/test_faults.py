"""Faults that must do no damage: clients that leave, a worker that dies, a full queue, a shutdown during a job."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.paths import sample
from tests.support.processes import descendants, gone
from tests.support.server import NO_ACCELERATION, Server
from tests.support.streams import stream

IDLE_TICKS = 3
LONG = {"method": "integrated_gradients", "options": json.dumps({"integrated_gradients": {"steps": 1000}})}


def running(server, **fields):
    """A long integral as a stream, for `with`."""
    return stream(server.http, {"image": sample("cat.jpg")}, **LONG, **fields)


@pytest.fixture(scope="module")
def server(slow_model, tmp_path_factory):
    """None of what is asked here may leave a traceback."""
    running = Server(tmp_path_factory.mktemp("server") / "store", **slow_model)
    yield running
    running.stop()
    assert "Traceback" not in running.log_text(), running.log_text()


def until(events, name, count=1):
    for told, data in events:
        if told == name:
            count -= 1
            if not count:
                return data
    raise AssertionError(f"the stream ended without {name}")


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
        # what the integral has done by now is in the events that wait to be read: at most one, the newest
        assert until(events, "progress", 2)["done"] < 500


def test_the_web_process_never_loads_torch(server):
    """Not even by unpickling one of its types from an event, such as the version's."""
    answer = server.http.post("/api/v1/explanations", data={"sample": "cat", "method": "grad_cam", "target": 10})
    assert answer.json()["versions"]["torch"]
    assert "libtorch" in Path(f"/proc/{server.worker_pid()}/maps").read_text()
    assert "libtorch" not in Path(f"/proc/{server.process.pid}/maps").read_text()


@pytest.mark.parametrize("form", ["text/event-stream", "application/json"])
def test_leaving_ends_the_computation(server, form):
    """The next job is not beside a thousand-step integral any more: its turns follow one another."""
    if form == "text/event-stream":
        with running(server, target=12) as events:
            number = until(events, "accepted")["id"]
            until(events, "progress", 2)
            assert not idle(server, tries=1)  # so that what is asked at the end can fail
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


def idle(server, tries=10):
    """Whether the worker's processor time stands still: nothing is being computed."""

    return any(ticks_within(1, server) <= IDLE_TICKS for _ in range(tries))


def ticks_within(seconds, server):
    """The worker's processor time meanwhile, in hundredths of a second."""

    def ticks():
        fields = Path(f"/proc/{server.worker_pid()}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(seconds)
    return ticks() - before


@pytest.fixture(scope="module")
def accelerated(slow_model, tmp_path_factory):
    """A server that looks for a quicker way to run its network while it is idle."""
    variables = slow_model | {"GRADOSCOPE_ACCELERATION": "auto"}
    running = Server(tmp_path_factory.mktemp("accelerated") / "store", **variables)
    yield running
    running.stop()


@pytest.mark.parametrize(("kind", "bound"), [("server", 0), ("accelerated", 1e-2)])
def test_a_killed_worker_comes_back_and_the_job_completes(kind, bound, request):
    """Quicker ways round otherwise, and a new worker has yet to find them: the maps are the same but for that."""
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
            told = []
            for name, data in events:
                told.append(name)
                if name == "progress" and told.count("progress") == 4:
                    os.kill(server.worker_pid(), signal.SIGKILL)
                last = data
    finally:
        ended.set()
        polling.join()
    assert told[-1] == "done"
    assert (told.count("accepted"), told.count("prediction"), told.count("panel")) == (1, 1, 2)
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


def test_beyond_the_queue_is_429_with_retry_after_and_sigterm_ends_all(tmp_path, slow_model):
    server = Server(tmp_path / "store", GRADOSCOPE_MAX_REQUESTS="1", GRADOSCOPE_GRACE_SECONDS="1", **slow_model)
    worker = server.worker_pid()
    with running(server, target=15) as events:
        until(events, "accepted")
        refused = httpx.post(f"{server.url}/api/v1/explanations", data={"sample": "cat", "method": "grad_cam"})
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["retry_after"] >= 1
    answer = httpx.post(f"{server.url}/api/v1/explanations", data={"sample": "cat", "method": "grad_cam"}, timeout=60)
    assert answer.status_code == 200, answer.text
    with running(server, target=16) as events:
        until(events, "accepted")
        server.process.send_signal(signal.SIGTERM)
        problem = until(events, "error")  # after the time of grace
        assert problem["status"] == 503
        assert "shutting down" in problem["detail"]
        assert problem["retry_after"] >= 1
    assert server.process.wait(30) == 0
    server.http.close()
    assert "Finished server process" in server.log.read_text().splitlines()[-1]
    assert not os.path.exists(f"/proc/{worker}")


def test_what_ends_within_the_grace_is_finished(tmp_path, slow_model):
    """And nothing more is taken, nor a process or a file of ours left."""
    server = Server(tmp_path / "store", GRADOSCOPE_GRACE_SECONDS="60", **slow_model)
    worker, kept = server.worker_pid(), httpx.Client(base_url=server.url, timeout=30)
    children = descendants(server.process.pid)
    assert worker in children
    options = json.dumps({"integrated_gradients": {"steps": 60}})
    with stream(server.http, {"image": sample("cat.jpg")}, method="integrated_gradients", options=options) as events:
        until(events, "progress")
        server.process.send_signal(signal.SIGTERM)
        assert until(events, "done")["status"] == "done"
    assert server.process.wait(30) == 0
    kept.close()
    server.http.close()
    assert gone(children)
    assert not list((tmp_path / "store").rglob("*.part"))


def test_past_the_deadline_a_request_is_ended(tmp_path, slow_model):
    server = Server(tmp_path / "store", GRADOSCOPE_DEADLINE="2", **slow_model)
    try:
        with running(server, target=17) as events:
            explanation = until(events, "accepted")["id"]
            problem = until(events, "error")
        assert (problem["status"], problem["title"]) == (504, "Deadline passed")
        answer = httpx.post(f"{server.url}/api/v1/explanations", data={"sample": "cat", **LONG}, timeout=60)
        assert answer.status_code == 504
        assert "within 2 s" in answer.json()["detail"]
        assert idle(server)
        assert server.http.get(f"/api/v1/explanations/{explanation}").json()["status"] == "failed"
    finally:
        server.stop()


def test_more_work_than_one_request_may_be_is_refused(server):
    steps = {name: {"steps": 2000} for name in ("integrated_gradients", "blur_integrated_gradients")}
    fields = {"sample": "cat", "target": list(range(10)), "method": list(steps), "options": json.dumps(steps)}
    refused = server.http.post("/api/v1/explanations", data=fields)
    assert refused.status_code == 422
    assert "2,007,040,000" in refused.json()["detail"]
    assert refused.json()["errors"][0]["field"] == "options"


def test_a_worker_that_cannot_start_is_told(tmp_path):
    with pytest.raises(AssertionError, match="readiness") as failure:
        Impatient(tmp_path / "store", GRADOSCOPE_THREADS=str(2**70))  # PyTorch takes no such number
    assert "the worker cannot start" in str(failure.value)
    assert "Overflow" in str(failure.value)


def test_a_default_model_that_cannot_be_had_takes_no_other_with_it(tmp_path):
    cards = tmp_path / "models"
    cards.mkdir()
    (cards / "broken.toml").write_text('title = "Broken"\n')
    server = Server(
        tmp_path / "store", GRADOSCOPE_MODELS=str(cards), GRADOSCOPE_DEFAULT_MODEL="broken", **NO_ACCELERATION
    )
    try:
        refused = server.http.post("/api/v1/predictions", data={"sample": "cat"})
        assert refused.status_code == 503
        assert "broken.toml: architecture: is missing" in refused.json()["detail"]
        others = {"sample": "cat", "model": "efficientnet_lite0"}
        assert server.http.post("/api/v1/predictions", data=others).status_code == 200
        assert "the default model cannot be used: broken.toml" in server.log.read_text()
    finally:
        server.stop()


class Impatient(Server):
    """Asks for readiness for some seconds only, and ends its server."""

    def _wait(self, condition, what):
        if what != "readiness":
            return super()._wait(condition, what)
        for _ in range(100):
            answer = self.http.get("/readyz")
            if "cannot start" in answer.text:
                break
            time.sleep(0.2)
        assert self.http.get("/healthz").status_code == 200
        self.stop()
        raise AssertionError(f"no readiness: {answer.text}")
