"""What one client may ask for at once, and in a minute."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from gradoscope.contract.problems import TooManyRequests
from gradoscope.web.middleware import quota
from gradoscope.web.middleware.quota import QuotaMiddleware

from tests.support.web_server import serving


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def once(limiter, client="a"):
    """One request that ends at once."""
    with limiter.counting(client):
        pass


def test_requests_in_flight_of_one_client():
    clock = Clock()
    limiter = QuotaMiddleware(None, in_flight=2, rate=0, clock=clock)
    with ExitStack() as flight:
        flight.enter_context(limiter.counting("a"))
        flight.enter_context(limiter.counting("a"))
        flight.enter_context(limiter.counting("b"))
        with pytest.raises(TooManyRequests, match="2 of your requests") as refused:
            once(limiter)
        assert refused.value.retry_after == 1
        clock.now += 40
    for _ in range(3):
        once(limiter)


def test_retry_after_is_how_long_requests_took():
    clock = Clock()
    limiter = QuotaMiddleware(None, in_flight=1, rate=0, clock=clock)
    for _ in range(30):
        with limiter.counting("a"):
            clock.now += 20
    with limiter.counting("a"):
        clock.now += 5
        with pytest.raises(TooManyRequests) as refused:
            once(limiter)
        assert 14 <= refused.value.retry_after <= 16


def test_a_request_that_fails_counts_no_longer():
    limiter = QuotaMiddleware(None, in_flight=1, rate=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limiter.counting("a"):
            raise ZeroDivisionError


def test_requests_per_minute():
    clock = Clock()
    limiter = QuotaMiddleware(None, in_flight=9, rate=30, clock=clock)
    for _ in range(30):
        once(limiter)
    with pytest.raises(TooManyRequests, match="30 requests a minute") as refused:
        once(limiter)
    assert refused.value.retry_after == 2
    once(limiter, "b")
    clock.now += refused.value.retry_after  # as Retry-After said: one request is allowed, and no more
    once(limiter)
    with pytest.raises(TooManyRequests):
        once(limiter)
    clock.now += 3600
    for _ in range(30):
        once(limiter)
    with pytest.raises(TooManyRequests):
        once(limiter)


def test_clients_that_are_gone_are_forgotten(monkeypatch):
    monkeypatch.setattr(quota, "MAX_CLIENTS", 10)
    clock = Clock()
    limiter = QuotaMiddleware(None, in_flight=1, rate=60, clock=clock)
    for number in range(100):
        once(limiter, str(number))
        clock.now += 1
    assert len(limiter._clients) <= 10


def test_on_a_server(tmp_path):
    """A client that holds all of its share is refused, by a problem; another is served; reading is not limited."""
    with (
        serving(tmp_path, client_requests=2) as web_server,
        web_server.client() as client,
        ThreadPoolExecutor(2) as pool,
    ):
        web_server.executor.gate.clear()
        held = [pool.submit(client.post, "/api/v1/predictions", data={"sample": "cat"}) for _ in range(2)]
        while len(web_server.executor.asked) < 2:
            pass
        refused = client.post("/api/v1/predictions", data={"sample": "cat"})
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200
        web_server.executor.gate.set()
        assert {one.result().status_code for one in held} == {200}
        assert client.post("/api/v1/predictions", data={"sample": "cat"}).status_code == 200


def test_the_rate_on_a_server(tmp_path):
    with serving(tmp_path, client_rate=3) as web_server, web_server.client() as client:
        statuses = [client.delete("/api/v1/explanations/none").status_code for _ in range(4)]
        assert statuses == [404, 404, 404, 429]


def test_rendered_results_count_and_stored_ones_are_queued(tmp_path):
    """A ZIP or PNG counts as a request, so that it can be refused. Of stored files only so many are read at once."""
    started, gate = [], asyncio.Event()

    async def app(scope, receive, send):
        started.append(scope["path"])
        await gate.wait()

    def asked(path, client="a", method="GET"):
        scope = {"type": "http", "method": method, "path": path, "state": {"client": client}, "headers": []}
        return limited(scope, None, answers.append_message)

    class Answers(list):
        async def append_message(self, message):
            if message["type"] == "http.response.start":
                self.append(message["status"])

    async def scenario():
        e = "/api/v1/explanations/e"
        tasks = [asyncio.create_task(asked(f"{e}.zip")), asyncio.create_task(asked(f"{e}/panels/p1.png"))]
        await asyncio.sleep(0)
        for path in (f"{e}.zip", f"{e}.png", f"{e}/panels/p1.png"):
            await asked(path)
        await asked("/api/v1/explanations", method="POST")
        assert answers == [429] * 4
        tasks.append(asyncio.create_task(asked(f"{e}.zip", "b")))
        tasks += [asyncio.create_task(asked(f"{e}/panels/p1.npy")) for _ in range(quota.MAX_READING + 5)]
        await asyncio.sleep(0.01)
        assert len(started) == 3 + quota.MAX_READING
        gate.set()
        await asyncio.gather(*tasks)
        assert len(started) == 3 + quota.MAX_READING + 5
        assert answers == [429] * 4

    answers, limited = Answers(), QuotaMiddleware(app, in_flight=2, rate=0)
    asyncio.run(scenario())
