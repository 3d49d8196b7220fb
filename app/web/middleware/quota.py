"""Limits how many requests one client may have in flight, and send in a minute.

Rendered results count as well: a ZIP or a large PNG costs as much as a small computation. Reading a stored result costs
little, but keeps it in memory while it is sent. So a client gets only so many at once, and its other requests wait.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

from ...contract.problems import TooManyRequests
from .host_origin import CHANGING_METHODS, RESULTS_PREFIX
from .problems import problem_response

MAX_CLIENTS = 10_000  # if there are more, idle clients are forgotten
MAX_READING = 16  # stored results that are sent to one client at once
RENDERED = re.compile(rf"{RESULTS_PREFIX}[^/]+(\.png|\.zip|/panels/[^/]+\.png)")


@dataclass
class _ClientUsage:
    """One client's requests: when each started, how long they usually take, and how many more are allowed now."""

    tokens: float
    filled_at: float
    running: dict[int, float] = field(default_factory=dict)
    seconds: float = 1.0  # a request's usual time, a running mean
    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_READING))


class QuotaMiddleware:
    """ASGI middleware: 429 for a POST, a DELETE or a rendered result if its client has `in_flight` of them; and for a
    POST or DELETE if it sent `rate` of those in a minute.

    The rate is a token bucket with `rate` tokens that fills up in a minute; 0 sets no limit.
    """

    def __init__(self, app: ASGIApp, in_flight: int, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.app, self.in_flight, self.rate, self._clock = app, in_flight, rate, clock
        self._clients: dict[str, _ClientUsage] = {}
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (
            scope["method"] in CHANGING_METHODS or scope["path"].startswith(RESULTS_PREFIX)
        ):
            await self.app(scope, receive, send)
            return
        changing = scope["method"] in CHANGING_METHODS
        if not changing and not RENDERED.fullmatch(scope["path"]):
            async with self._usage(scope["state"]["client"]).reading:
                await self.app(scope, receive, send)
            return
        try:
            with self.counting(scope["state"]["client"], rated=changing):
                await self.app(scope, receive, send)
        except _OverQuota as problem:
            await problem_response(problem)(scope, receive, send)

    @contextmanager
    def counting(self, client: str, rated: bool = True) -> Iterator[None]:
        """A context in which one more request of the client is in flight; `rated`: it counts for the rate too. Raises
        `TooManyRequests`."""
        usage = self._usage(client)
        now = self._clock()
        if len(usage.running) >= self.in_flight:
            wait = max(1, math.ceil(usage.seconds - (now - min(usage.running.values()))))
            raise _OverQuota(
                f"{len(usage.running)} of your requests are in flight, which is the limit for one client. Try again in "
                f"about {wait} s.",
                retry_after=wait,
            ).coded("too_many_at_once", count=len(usage.running), wait=wait)
        if self.rate and rated:
            usage.tokens = min(self._bucket_size, usage.tokens + (now - usage.filled_at) * self.rate / 60)
            usage.filled_at = now
            if usage.tokens < 1:
                wait = max(1, math.ceil((1 - usage.tokens) * 60 / self.rate))
                raise _OverQuota(
                    f"That is more than {self.rate:g} requests a minute, which is the limit for one client. Try again "
                    f"in {wait} s.",
                    retry_after=wait,
                ).coded("too_many_a_minute", rate=f"{self.rate:g}", wait=wait)
            usage.tokens -= 1
        self._count += 1
        number = self._count
        usage.running[number] = now
        try:
            yield
        finally:
            started_at = usage.running.pop(number)
            usage.seconds += 0.2 * (self._clock() - started_at - usage.seconds)

    @property
    def _bucket_size(self) -> float:
        return max(1.0, self.rate)

    def _usage(self, client: str) -> _ClientUsage:
        if client not in self._clients:
            if len(self._clients) >= MAX_CLIENTS:
                self._forget_idle()
            self._clients[client] = _ClientUsage(self._bucket_size, self._clock())
        return self._clients[client]

    def _forget_idle(self) -> None:
        """Forget clients that have nothing in flight and a full bucket: they equal new clients."""
        now = self._clock()
        for client, usage in list(self._clients.items()):
            full = not self.rate or usage.tokens + (now - usage.filled_at) * self.rate / 60 >= self._bucket_size
            if full and not usage.running:
                del self._clients[client]


class _OverQuota(TooManyRequests):
    """A `TooManyRequests` of this middleware, to tell it from one that the application raises."""
