"""What can be observed of a request: its id, its line in the access log, the metrics of /metrics."""

from __future__ import annotations

import logging
import re
import time

import pytest
from gradoscope.contract import request_id

from tests.support.web_server import serving


@pytest.fixture(scope="module")
def web_server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("trace")) as web_server:
        yield web_server


@pytest.fixture
def access_line(caplog):
    caplog.set_level(logging.DEBUG, "gradoscope")

    def of(path):
        """The line of the one request with that path; it is written when the client has its answer already."""
        for _ in range(500):
            found = [r for r in caplog.records if r.name == "gradoscope.access" and r.path == path and r.bytes]
            if found:
                (record,) = found
                return record
            time.sleep(0.01)
        raise AssertionError("there is no line")

    return of


def metrics(web_server):
    with web_server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def test_an_answer_has_an_id_and_a_sane_one_is_kept(web_server):
    with web_server.client() as client:
        one, two = (client.get("/healthz").headers["x-request-id"] for _ in range(2))
        assert one != two
        assert request_id.ALLOWED_ID.fullmatch(one)
        assert client.get("/healthz", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
        assert client.get("/healthz", headers={"x-request-id": "a b"}).headers["x-request-id"] != "a b"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/api/v1/explanations/none", {}, 404),
        ("PATCH", "/healthz", {}, 405),
        ("POST", "/api/v1/predictions", {}, 422),
        ("POST", "/api/v1/predictions", {"origin": "https://evil.example"}, 403),
        ("GET", "/", {"host": "evil.example"}, 421),
    ],
)
def test_every_problem_contains_the_id_of_its_answer(web_server, method, path, headers, status):
    with web_server.client() as client:
        answer = client.request(method, path, headers={"x-request-id": "one", **headers})
    assert answer.status_code == status
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "one"


def test_a_refused_connection_has_an_id_too_and_is_counted(web_server):
    answer = web_server.raw(b"no HTTP at all\r\n\r\n")
    assert answer.status == 400
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert metrics(web_server)['gradoscope_refusals_total{reason="Bad request",status="400"}'] >= 1


def test_a_line_says_what_happened_and_nothing_that_was_sent(web_server, access_line):
    with web_server.client() as client:
        client.post(
            "/api/v1/predictions?secret=query",
            files={"image": ("holiday.jpg", b"pixels-of-mine")},
            headers={"x-request-id": "abc", "x-api-key": "key-of-mine"},
        )
    record = access_line("/api/v1/predictions")
    assert re.fullmatch(r"POST /api/v1/predictions 200, \d+\.\d{3} s, 18 bytes, 127\.0\.0\.1", record.getMessage())
    assert (record.method, record.status, record.client) == ("POST", 200, "127.0.0.1")
    assert record.bytes == len('{"predictions":[]}')
    assert record.levelname == "INFO"
    assert not re.search("secret|holiday|mine", str(vars(record)))


def test_nobody_writes_lines_of_their_own_into_the_log(web_server, access_line):
    with web_server.client() as client:
        client.get("/api/v1/%0AINFO:%20forged/é")
    record = access_line("/api/v1/%0AINFO%3A%20forged/%C3%A9")
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/static/js/state/methods.js"])
def test_requests_that_come_all_the_time_are_logged_at_debug_only(web_server, access_line, path):
    with web_server.client() as client:
        assert client.get(path).status_code == 200
    assert access_line(path).levelname == "DEBUG"


def test_requests_are_counted_by_template_and_unknown_paths_together(web_server):
    before = metrics(web_server)
    with web_server.client() as client:
        for path in ("/api/v1/models/a/classes", "/api/v1/models/b/classes", "/x/1", "/x/2", "/static/none.js"):
            client.get(path)
        client.request("BREW", "/x/3")
    after = metrics(web_server)

    def increase(**labels):
        listed = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
        name = f"gradoscope_http_requests_total{{{listed}}}"
        return after[name] - before.get(name, 0)

    assert increase(route="/api/v1/models/{id}/classes", method="GET", status="200") == 2
    assert increase(route="unmatched", method="GET", status="404") == 2
    assert increase(route="unmatched", method="other", status="404") == 1
    assert increase(route="/static", method="GET", status="404") == 1
    assert after["gradoscope_http_requests_in_flight"] == 1  # the one that asks
    assert after['gradoscope_http_request_seconds_count{method="GET",route="unmatched"}'] >= 2
    assert 'gradoscope_refusals_total{reason="Not found",status="404"}' in after
