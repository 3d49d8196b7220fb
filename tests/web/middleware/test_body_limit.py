"""Bodies of requests: their limits by path and content type, the pieces they are passed on in, their charset."""

from __future__ import annotations

import asyncio
import json

import pytest
from gradoscope.web.middleware import body_limit
from gradoscope.web.middleware.body_limit import BodyLimitMiddleware
from gradoscope.web.middleware.problems import StopOnProblem

LIMIT = 8 * 2**20
MULTIPART = "multipart/form-data; boundary=x"
URLENCODED = "application/x-www-form-urlencoded"


def ask(*pieces, path="/api/v1/explanations", kind=MULTIPART, length=None):
    """The pieces of the body that the application gets; if it is refused, (status, problem)."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    got, answers = [], []

    async def app(scope, receive, send):
        while True:
            message = await receive()
            got.append(message["body"])
            if not message["more_body"]:
                return

    async def receive():
        return messages.pop(0)

    async def send(message):
        answers.append(message)

    headers = [(b"content-type", kind.encode())]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "state": {}}
    try:
        asyncio.run(BodyLimitMiddleware(app, LIMIT, 60)(scope, receive, send))
    except StopOnProblem as stop:
        return stop.problem.status, stop.problem
    if answers:
        return answers[0]["status"], json.loads(answers[1]["body"])
    return got


def test_a_large_piece_is_handed_on_in_small_ones():
    data = bytes(range(256)) * 1024
    got = ask(data, b"end")
    assert b"".join(got) == data + b"end"
    assert max(map(len, got)) == body_limit.PIECE


@pytest.mark.parametrize(
    ("path", "kind", "limit"),
    [
        ("/api/v1/session", URLENCODED, 4096),
        ("/api/v1/session", MULTIPART, 4096),
        ("/api/v1/explanations", URLENCODED, body_limit.MAX_URLENCODED),
        ("/api/v1/explanations", f"  {URLENCODED.upper()}; charset=utf-8", body_limit.MAX_URLENCODED),
        ("/api/v1/experiments/graph", "application/json; charset=utf-8", body_limit.MAX_JSON),
        ("/api/v1/explanations", MULTIPART, LIMIT),
    ],
)
def test_limits_by_path_and_kind(path, kind, limit):
    """Both for a Content-Length and for a body whose bytes are counted."""
    status, _ = ask(path=path, kind=kind, length=limit + 1)
    assert status == 413
    status, problem = ask(b"&" * limit, b"&", path=path, kind=kind)
    assert status == 413
    assert f"{limit:,} bytes" in problem.detail
    assert sum(map(len, ask(b"&" * limit, path=path, kind=kind, length=limit))) == limit


@pytest.mark.parametrize(
    "charset", ["utf-7", "unicode_escape", "UTF-16", '"latin-1"', "rot13", "x; charset=utf-8", "''"]
)
def test_text_is_utf8_alone(charset):
    status, problem = ask(b"", kind=f"{MULTIPART}; charset={charset}")
    assert status == 422
    assert "UTF-8" in problem["detail"]


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", '"utf-8"', "us-ascii"])
def test_utf8_may_be_named(charset):
    assert ask(b"x", kind=f"{MULTIPART}; charset={charset}") == [b"x", b""]
