"""The end of a server: at once, within its grace, and when it is asked twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from contextlib import suppress

import httpx
import pytest
from fastapi import FastAPI
from gradoscope.settings import Settings
from gradoscope.web import server as web
from gradoscope.web.server import uvicorn_config

from tests.support.paths import sample
from tests.support.processes import descendants, gone
from tests.support.server import Server
from tests.support.streams import stream

LONG = {"method": "integrated_gradients", "options": json.dumps({"integrated_gradients": {"steps": 1000}})}


def test_while_it_ends_it_says_so_and_asked_twice_it_ends_at_once(tmp_path, slow_model):
    server = Server(tmp_path / "store", GRADOSCOPE_GRACE_SECONDS="600", **slow_model)
    children = descendants(server.process.pid)
    with stream(server.http, {"image": sample("cat.jpg")}, **LONG) as events:
        assert next(events)[0] == "accepted"
        server.process.send_signal(signal.SIGTERM)
        server._wait(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, "end of its readiness")
        ready = httpx.get(f"{server.url}/readyz")
        assert "shutting down" in ready.json()["detail"]
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        refused = httpx.post(f"{server.url}/api/v1/explanations", data={"sample": "cat", "method": "grad_cam"})
        assert (refused.status_code, refused.json()["title"]) == (503, "Unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert next(events)[0] != "error"  # what runs goes on
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 1
        with pytest.raises(httpx.RemoteProtocolError):
            list(events)
    server.http.close()
    assert gone(children)


@pytest.mark.parametrize("early", [False, True])
def test_with_nothing_to_do_it_ends_at_once(early, tmp_path, quick):
    """By Ctrl-C too, and while its worker still starts."""
    if early:
        server = Unready(tmp_path / "store", GRADOSCOPE_GRACE_SECONDS="600", **quick)
    else:
        server = Server(tmp_path / "store", GRADOSCOPE_GRACE_SECONDS="600", **quick)
    children = descendants(server.process.pid)
    began = time.monotonic()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(30) == 0
    assert time.monotonic() - began < 20  # far below its grace
    server.http.close()
    assert gone(children)
    assert "Finished server process" in server.log.read_text()


class Unready(Server):
    """Does not wait until it is ready."""

    def _wait(self, condition, what):
        return None if what == "readiness" else super()._wait(condition, what)


def test_the_event_loop_is_the_one_that_tests_run_with():
    assert uvicorn_config(FastAPI(), Settings()).loop == "asyncio"


def test_a_signal_to_the_whole_group_leaves_what_runs_its_time(tmp_path, slow_model):
    """As a service manager or a shell sends it: the worker goes on, and ends when the server says so."""
    server = Server(tmp_path / "store", GRADOSCOPE_GRACE_SECONDS="60", **slow_model)
    children = descendants(server.process.pid)
    options = json.dumps({"integrated_gradients": {"steps": 60}})
    with stream(server.http, {"image": sample("cat.jpg")}, **LONG | {"options": options}) as events:
        assert next(events)[0] == "accepted"
        for pid in (*children, server.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        assert [name for name, _ in events][-1] == "done"
    assert server.process.wait(30) == 0
    server.http.close()
    assert gone(children)


def test_no_file_handle_is_told_once_without_a_traceback(caplog):
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
