"""Results are rendered by few threads, and handed to the socket piece by piece."""

from __future__ import annotations

import asyncio
import threading

import pytest
from gradoscope.contract.problems import NotFound, TooManyRequests
from gradoscope.web.routes import rendering
from gradoscope.web.routes.rendering import PIECE, PiecewiseResponse, RenderPool, StreamedResponse
from starlette.requests import Request

SCOPE = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "method": "GET", "headers": []}


async def never_leaves():
    await asyncio.Event().wait()


def sent_by(response):
    messages = []

    async def send(message):
        messages.append(message)

    asyncio.run(response(dict(SCOPE), never_leaves, send))
    return messages


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 10 * PIECE])
def test_a_body_is_sent_in_pieces(size):
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    start, *body = sent_by(PiecewiseResponse(data, media_type="image/png"))
    assert dict(start["headers"])[b"content-length"] == str(size).encode()
    assert b"".join(message["body"] for message in body) == data
    assert max(len(message["body"]) for message in body) <= PIECE
    assert [message["more_body"] for message in body] == [True] * (len(body) - 1) + [False]


def test_few_are_rendered_at_once_and_few_wait(monkeypatch):
    monkeypatch.setattr(rendering, "MAX_WAITING", 3)
    gate, running, most = threading.Event(), [], []

    def work():
        running.append(1)
        most.append(len(running))
        gate.wait(10)
        running.pop()

    async def scenario():
        render_pool = RenderPool()
        tasks = [asyncio.create_task(render_pool.run(work)) for _ in range(rendering.THREADS + 3)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequests):
            await render_pool.run(work)
        gate.set()
        await asyncio.gather(*tasks)
        await render_pool.run(work)
        render_pool.close()

    asyncio.run(scenario())
    assert max(most) <= rendering.THREADS


def test_what_fails_at_once_is_told_before_the_status_line():
    def parts():
        yield b"readme"
        raise NotFound("gone")

    async def scenario():
        with pytest.raises(NotFound):
            await StreamedResponse.of(Request(dict(SCOPE), never_leaves), RenderPool(), parts(), {})

    asyncio.run(scenario())


def test_a_stream_makes_a_part_only_when_the_one_before_was_taken():
    made = []

    def parts():
        for number in range(4):
            made.append(number)
            yield bytes([number]) * PIECE

    async def scenario():
        render_pool = RenderPool()
        response = await StreamedResponse.of(Request(dict(SCOPE), never_leaves), render_pool, parts(), {"x": "y"})
        assert made == [0]
        sent = []

        async def send(message):
            if message["type"] == "http.response.body":
                sent.append(message["body"])
                assert len(made) <= len(sent) + 1

        await response(dict(SCOPE), never_leaves, send)
        assert b"".join(sent) == b"".join(bytes([number]) * PIECE for number in range(4))

    asyncio.run(scenario())
