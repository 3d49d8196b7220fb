"""Whoever closes the connection frees the worker: in every form of answer, and wherever the request is just then."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import ExitStack
from http.client import HTTPConnection

import httpx
import pytest

from tests.support.long_jobs import LONG
from tests.support.paths import sample
from tests.support.streams import stream

SOON = 20  # seconds; a micro-batch takes a fraction of one, and a job that is not ended half a minute


@pytest.fixture
def server(slow_model_server):
    return slow_model_server


def in_flight(server):
    lines = httpx.get(f"{server.url}/metrics", timeout=30).text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("gradoscope_requests_in_flight ")))


def in_flight_becomes(server, count):
    """Whether so many requests are in flight before long."""
    until = time.monotonic() + SOON
    while in_flight(server) != count:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def kill_worker(server):
    os.kill(server.worker_pid(), signal.SIGKILL)
    server._wait(lambda: server.http.get("/readyz").status_code == 503, "notice of the death")


def ready(server):
    server._wait(lambda: server.http.get("/readyz").status_code == 200, "readiness")


class Client:
    """A request whose answer nobody reads; it hangs up when it is told to, however slow the machine is."""

    def __init__(self, server, form, **fields):
        files, data = {"image": sample("cat.jpg")}, {**LONG, **fields}
        request = httpx.Request("POST", server.url, files=files, data=data, headers={"accept": form})
        self.connection = HTTPConnection(request.url.host, request.url.port)
        self.connection.request("POST", "/api/v1/explanations", request.read(), dict(request.headers))

    def leave(self):
        self.connection.close()


@pytest.mark.parametrize("form", ["application/json", "image/png", "application/zip", "text/event-stream"])
def test_leaving_in_every_form_of_answer(form, server):
    """A stream's answer begins at once, so its client leaves after the first event."""
    if form == "text/event-stream":
        for number in range(10):
            with stream(server.http, {"image": sample("cat.jpg")}, **LONG, target=300 + number) as events:
                next(event for event in events if event[0] == "progress")
    else:
        client = Client(server, form, target=310)
        assert in_flight_becomes(server, 1)
        client.leave()
    assert in_flight_becomes(server, 0)


def test_leaving_while_the_worker_starts(server):
    """In either form of answer."""
    kill_worker(server)
    clients = [
        Client(server, form, target=311 + number)
        for number, form in enumerate(("application/json", "text/event-stream"))
    ]
    assert in_flight_becomes(server, 2)
    for left, client in enumerate(reversed(clients)):
        client.leave()
        assert in_flight_becomes(server, 1 - left)
    assert server.http.get("/readyz").status_code == 503  # all that was while it started
    ready(server)


def test_leaving_while_one_waits_for_the_others_after_a_death(server):
    streams = []  # one that is not held is closed
    with ExitStack() as first, ExitStack() as second:
        for number, stack in enumerate((first, second)):
            http = stack.enter_context(httpx.Client(base_url=server.url, timeout=60))
            streams.append(stack.enter_context(stream(http, {"image": sample("cat.jpg")}, **LONG, target=320 + number)))
            explanation = next(streams[-1])[1]["id"]
        kill_worker(server)
        ready(server)
        assert in_flight(server) == 2
        second.close()  # it waits: the first one runs alone
        assert in_flight_becomes(server, 1)
        server._wait(
            lambda: server.http.get(f"/api/v1/explanations/{explanation}").json()["status"] == "cancelled", "an end"
        )
    assert in_flight_becomes(server, 0)


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("explanations", "multipart/form-data; boundary=x", 400),  # of a form, the parser says that it has no end
        ("predictions", "multipart/form-data; boundary=x", 400),
        ("experiments/graph", "application/json", 499),
    ],
)
def test_leaving_while_the_request_is_sent(path, kind, status, server):
    """It is no error of the server's, and its log has none."""
    before = server.log_text().count(f"POST /api/v1/{path} {status}")
    with socket.create_connection((server.http.base_url.host, server.http.base_url.port)) as connection:
        lines = (f"POST /api/v1/{path} HTTP/1.1", "host: 127.0.0.1", f"content-type: {kind}", "content-length: 900")
        connection.sendall("\r\n".join((*lines, "", "--x")).encode())
        time.sleep(0.2)
    server._wait(
        lambda: server.log_text().count(f"POST /api/v1/{path} {status}") > before, "word of the client leaving"
    )
    assert "Traceback" not in server.log_text()
