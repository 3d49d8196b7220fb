"""Connections: what comes too slowly, too much, or not at all."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
import time
from asyncio import selector_events

import h11
import pytest
from gradoscope.web.middleware import bounded_http, connection
from gradoscope.web.middleware.security_headers import SECURITY_HEADERS

from tests.support.web_server import read, read_one, serving

SHORT = 0.4
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
FORM = b"POST /api/v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"

TITLES = {501: "Not implemented", 505: "HTTP version not supported"}
WHOLE = b'--x\r\nContent-Disposition: form-data; name="sample"\r\n\r\ncat\r\n--x--\r\n'


@pytest.fixture(scope="module")
def web_server(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "LINGER_SECONDS", SHORT)
        with serving(tmp_path_factory.mktemp("web_server"), header_seconds=SHORT, body_seconds=SHORT) as web_server:
            yield web_server


def trickle(sock, data):
    """A byte now and then, until the server has had enough."""
    for byte in data:
        try:
            sock.sendall(bytes([byte]))
        except OSError:
            return
        time.sleep(SHORT / 10)


def slowly(web_server, head, rest):
    with web_server.connect() as sock:
        sock.sendall(head)
        sender = threading.Thread(target=trickle, args=(sock, rest))
        sender.start()
        answer = read(sock)
        sender.join()
    return answer


def problem(answer, status):
    assert answer.status == status, answer.data
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["detail"]
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert "server" not in answer.headers
    return answer


def test_a_slow_head_is_answered_408(web_server):
    answer = problem(slowly(web_server, b"", GET), 408)
    assert f"{SHORT:g} s" in answer.json()["detail"]
    assert answer.headers["connection"] == "close"


def test_a_slow_head_after_a_good_request_is_too(web_server):
    with web_server.connect() as sock:
        sock.sendall(GET)
        assert read_one(sock).status == 200
        trickle(sock, GET[:4])
        problem(read(sock), 408)


def test_a_connection_that_says_nothing_is_closed_without_a_word(web_server):
    assert web_server.raw(b"").data == b""


def test_a_slow_body_is_answered_408(web_server):
    answer = problem(slowly(web_server, FORM + b"Content-Length: 1000\r\n\r\n", b"--x" * 30), 408)
    assert answer.headers["connection"] == "close"
    chunks = b"1\r\n-\r\n1\r\n-\r\n1\r\nx\r\n" * 10
    problem(slowly(web_server, FORM + b"Transfer-Encoding: chunked\r\n\r\n", chunks), 408)


def test_a_body_that_nobody_reads_is_not_waited_for(web_server):
    answer = slowly(web_server, GET[:-2] + b"Content-Length: 1000\r\n\r\n", b"x" * 60)
    assert answer.status == 200
    assert len(answer.data) < 1000


def test_the_rest_of_an_unread_body_leaves_a_connection_that_ends(web_server):
    with web_server.connect() as sock:
        sock.sendall(GET[:-2] + b"Content-Length: 3\r\n\r\n")
        assert read_one(sock).status == 200
        sock.sendall(b"abc")
        assert read(sock).data == b""


def test_requests_one_after_the_other_and_at_once(web_server):
    with web_server.connect() as sock:
        for _ in range(3):
            sock.sendall(GET)
            assert read_one(sock).status == 200
            time.sleep(SHORT / 4)
    answer = web_server.raw(GET * 3 + GET[:-2] + b"Connection: close\r\n\r\n")
    assert answer.data.count(b"HTTP/1.1 200 OK") == 4


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET /" + b"a" * 20000, 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20000, 431),
        (FORM + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", 400),
        (FORM + b"Content-Length: -5\r\n\r\n", 400),
        (FORM + b"Content-Length: " + b"9" * 50 + b"\r\n\r\n", 400),
        (FORM + b"Content-Length: 99999999999999999999\r\n\r\n", 413),
        (FORM + b"Content-Length: five\r\n\r\n", 400),
        (FORM + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (FORM + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (FORM + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
)
def test_what_is_no_request_is_told_so(web_server, data, status):
    answer = problem(web_server.raw(data), status)
    assert answer.headers["connection"] == "close"
    body = answer.json()
    assert body["title"] == TITLES.get(status, body["title"])
    assert (body["title"] == "Bad request") == (status == 400)
    assert web_server.alive()


def test_heads_are_bounded_however_they_arrive(web_server):
    """Ten thousand headers in one piece are not parsed; a hundred are."""
    few, many = (b"".join(b"X-%d: a\r\n" % number for number in range(count)) for count in (100, 200))
    assert web_server.raw(GET[:-2] + few + b"Connection: close\r\n\r\n").status == 200
    for headers in (many, b"a:\r\n" * 10_000, b"X: " + b"a" * 17_000 + b"\r\n"):
        answer = problem(web_server.raw(GET[:-2] + headers + b"\r\n"), 431)
        assert "128 lines" in answer.json()["detail"]
        answer = web_server.raw(GET + GET[:-2] + headers + b"\r\n")  # after a good one, in the same piece
        assert answer.status == 200
        assert b"HTTP/1.1 431" in answer.data


def test_a_turn_of_the_loop_parses_few_events():
    """At most `MAX_EVENTS`, here of a body in one-byte chunks; the next turn goes on where the last one stopped."""
    parser = bounded_http.BoundedHTTP()
    parser.receive_data(FORM + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1000)
    counts, bodies = [], b""
    while not counts or counts[-1]:
        parser.begin_turn()
        counts.append(0)
        while (event := parser.next_event()) is not h11.NEED_DATA:
            counts[-1] += 1
            bodies += getattr(event, "data", b"")
    assert max(counts) <= bounded_http.MAX_EVENTS
    assert bodies == b"x" * 1000


def chunked(data):
    return b"".join(b"1\r\n%c\r\n" % byte for byte in data) + b"0\r\n\r\n"


def test_a_body_in_one_byte_chunks_is_read_whole(web_server):
    """And the request after it, on the same connection."""
    body = chunked(b"\r\n" * 2500 + WHOLE)
    with web_server.connect() as sock:
        sock.sendall(FORM + b"Transfer-Encoding: chunked\r\n\r\n" + body + GET)
        assert read_one(sock).status == 200
        assert read_one(sock).status == 200
        sock.sendall(GET)
        assert read_one(sock).status == 200


@pytest.mark.parametrize("head", [b"Content-Length: 30000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_refused_body_is_not_read_on(web_server, head, monkeypatch):
    """The client can read why, and the connection ends; nothing of the rest is parsed."""
    parsed = []
    real = bounded_http.BoundedHTTP.receive_data
    monkeypatch.setattr(
        bounded_http.BoundedHTTP, "receive_data", lambda self, data: (parsed.append(len(data)), real(self, data))[1]
    )
    with web_server.connect() as sock:
        sock.sendall(FORM.replace(b"/api/v1/predictions", b"/api/v1/session") + head)
        piece = b"2000\r\n" + b"&" * 0x2000 + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(400):
                sock.sendall(piece)
        problem(read(sock), 413)
    assert sum(parsed) < 400_000  # of 3,3 MB
    assert web_server.alive()


def test_a_body_shorter_than_it_says_is_a_disconnect(web_server):
    with web_server.connect() as sock:
        sock.sendall(FORM + b"Content-Length: 1000\r\n\r\n--x")
        sock.shutdown(socket.SHUT_WR)
        assert read(sock).status in (None, 400)


def test_one_connection_too_many_takes_the_place_of_the_most_idle(tmp_path):
    with serving(tmp_path, max_connections=8) as web_server:
        slow = [web_server.connect() for _ in range(8)]
        for sock in slow:
            sock.sendall(b"GET")
        assert web_server.alive()
        assert read(slow[0]).data == b""
        slow[7].sendall(GET[3:])
        assert read_one(slow[7]).status == 200
        for sock in slow:
            sock.close()


def test_where_all_are_busy_the_one_too_many_is_told_so(tmp_path):
    with serving(tmp_path, max_connections=8) as web_server:
        web_server.executor.gate.clear()
        busy = [web_server.connect() for _ in range(8)]
        for sock in busy:
            sock.sendall(FORM + b"Content-Length: %d\r\n\r\n" % len(WHOLE) + WHOLE)
        until(lambda: len(web_server.executor.asked) == 8)
        answer = problem(web_server.raw(b""), 503)
        assert int(answer.headers["retry-after"]) >= 1
        web_server.executor.gate.set()
        for sock in busy:
            assert read_one(sock).status == 200
            sock.close()


def test_a_reader_that_takes_nothing_is_disconnected(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "STALL_SECONDS", SHORT)
    with serving(tmp_path) as web_server, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", web_server.port))
        path = b"GET /static/swagger/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        sock.sendall(path * 8)  # more than the system keeps for it
        until(lambda: stuck(web_server))
        until(lambda: not stuck(web_server))
        assert web_server.alive()


def stuck(web_server):
    return any(connection.flow.write_paused for connection in list(web_server.server.server_state.connections))


def until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it does not come")


def test_a_client_that_has_gone_when_it_is_refused_leaves_nothing_in_the_log(web_server, caplog, monkeypatch):
    """A valid request, then garbage, which is refused after the first answer. An exception there would be logged as one
    of the first request."""

    def gone(transport):
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    caplog.set_level(logging.INFO, "gradoscope")
    monkeypatch.setattr(selector_events._SelectorSocketTransport, "write_eof", gone)
    with web_server.connect() as sock:
        sock.sendall(GET + b"--x\r\n\r\n")
        assert read_one(sock).status == 200
    with web_server.connect() as sock:
        sock.sendall(GET)
        assert read_one(sock).status == 200
    assert [record.getMessage() for record in caplog.records if "is refused: 400" in record.getMessage()]
    assert not [record for record in caplog.records if record.exc_info]
