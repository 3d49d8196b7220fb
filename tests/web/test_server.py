"""How a server ends: when idle, within the grace period, after it, killed, and asked twice. Limits on long jobs are
tested here too, because each of these tests has to start a server of its own anyway."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress

import httpx
import pytest
from fastapi import FastAPI
from gradoscope.settings import Settings
from gradoscope.web import server as web
from gradoscope.web.server import uvicorn_config

from tests.support.long_jobs import LONG, idle, running, until
from tests.support.processes import check_ends_at_once, descendants, gone
from tests.support.server import Server

GRAD_CAM = {"sample": "cat", "method": "grad_cam"}


def test_a_server_that_is_asked_to_end_twice_ends_at_once(tmp_path, slow_model):
    server = Server(tmp_path / "store", GRADOSCOPE_GRACE_SECONDS="600", **slow_model)
    children = descendants(server.process.pid)
    with running(server) as events:
        assert next(events)[0] == "accepted"
        server.process.send_signal(signal.SIGTERM)
        server._wait(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, "end of its readiness")
        ready = httpx.get(f"{server.url}/readyz")
        assert "shutting down" in ready.json()["detail"]
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        refused = httpx.post(f"{server.url}/api/v1/explanations", data=GRAD_CAM)
        assert (refused.status_code, refused.json()["title"]) == (503, "Unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert next(events)[0] != "error"  # what runs goes on
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 1
        with pytest.raises(httpx.RemoteProtocolError):
            list(events)
    server.http.close()
    assert gone(children)


def test_a_full_queue_is_429_and_after_the_grace_period_jobs_are_ended(tmp_path, slow_model):
    server = Server(tmp_path / "store", GRADOSCOPE_MAX_REQUESTS="1", GRADOSCOPE_GRACE_SECONDS="1", **slow_model)
    worker = server.worker_pid()
    with running(server, target=15) as events:
        until(events, "accepted")
        refused = httpx.post(f"{server.url}/api/v1/explanations", data=GRAD_CAM)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["retry_after"] >= 1
    answer = httpx.post(f"{server.url}/api/v1/explanations", data=GRAD_CAM, timeout=60)
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


def check_deadline(server):
    with running(server, target=17) as events:
        explanation = until(events, "accepted")["id"]
        problem = until(events, "error")
    assert (problem["status"], problem["title"]) == (504, "Deadline passed")
    answer = httpx.post(f"{server.url}/api/v1/explanations", data={"sample": "cat", **LONG}, timeout=60)
    assert answer.status_code == 504
    assert "within 2 s" in answer.json()["detail"]
    assert idle(server)
    assert server.http.get(f"/api/v1/explanations/{explanation}").json()["status"] == "failed"


def test_a_worker_that_cannot_start_is_reported_and_its_server_ends_at_once(tmp_path):
    """It ends even while it starts the next worker."""
    # too large for PyTorch
    server = Unready(tmp_path / "store", GRADOSCOPE_THREADS=str(2**70), GRADOSCOPE_GRACE_SECONDS="600")
    server._wait(lambda: "the worker cannot start" in server.http.get("/readyz").text, "word of the worker")
    ready = server.http.get("/readyz")
    assert ready.status_code == 503
    assert "Overflow" in ready.text
    assert server.http.get("/healthz").status_code == 200
    check_ends_at_once(server)


class Unready(Server):
    """A server that is not expected to become ready."""

    def _wait(self, condition, what):
        return None if what == "readiness" else super()._wait(condition, what)


def test_a_request_ends_at_its_deadline_and_a_server_on_the_store_of_a_killed_one(tmp_path, slow_model):
    """The first has a deadline. It is killed, and leaves no process. The second marks its record as cancelled. Then all
    its processes get SIGTERM, as from a service manager or a shell: its job can finish, and no process or file is left.
    """
    killed = Server(tmp_path / "store", GRADOSCOPE_DEADLINE="2", **slow_model)
    check_deadline(killed)
    children = descendants(killed.process.pid)
    with running(killed) as events:
        explanation = next(events)[1]["id"]
        killed.process.kill()
        killed.process.wait()
        with pytest.raises(httpx.RemoteProtocolError):
            list(events)
    killed.http.close()
    assert gone(children)

    server = Server(tmp_path / "store", GRADOSCOPE_GRACE_SECONDS="60", **slow_model)
    assert server.http.get(f"/api/v1/explanations/{explanation}").json()["status"] == "cancelled"
    client = httpx.Client(base_url=server.url, timeout=30)
    assert client.get("/healthz").status_code == 200
    children = descendants(server.process.pid)
    assert server.worker_pid() in children
    options = json.dumps({"integrated_gradients": {"steps": 60}})
    with running(server, options=options) as events:
        until(events, "progress")
        for pid in (*children, server.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        assert until(events, "done")["status"] == "done"
    assert server.process.wait(30) == 0
    client.close()
    server.http.close()
    assert gone(children)
    assert not list((tmp_path / "store").rglob("*.part"))


def test_the_event_loop_is_the_one_that_tests_run_with():
    assert uvicorn_config(FastAPI(), Settings()).loop == "asyncio"


def test_running_out_of_file_handles_is_logged_once_without_a_traceback(caplog):
    server = object.__new__(web.Server)
    server._handles_logged_at = None
    loop = asyncio.new_event_loop()
    for _ in range(1000):
        server._on_loop_error(loop, {"message": "socket.accept() out of system resource", "exception": OSError(24, "")})
    assert len(caplog.records) == 1
    assert "ulimit -n" in caplog.text
    assert caplog.records[0].exc_info is None
    server._on_loop_error(loop, {"message": "something else", "exception": ZeroDivisionError()})
    assert "something else" in caplog.text
    loop.close()
