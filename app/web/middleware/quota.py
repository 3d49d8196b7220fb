"""What one client may ask for at once, and in a minute."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

from ...contract.problems import TooManyRequests
from .host_origin import CHANGING
from .problems import problem_response

MANY = 10_000  # clients that are remembered before those are dropped of whom nothing need be


@dataclass
class _Tally:
    """One client's requests: since when each runs, how long they take, and how many more it may make now."""

    tokens: float
    filled: float
    running: dict[int, float] = field(default_factory=dict)
    seconds: float = 1.0  # a request's usual time, a running mean


class QuotaMiddleware:
    """ASGI middleware: 429 for a POST or DELETE of a client that has `in_flight` of them, or made `rate` in a minute.

    The rate is a bucket of `rate` tokens that fills up in a minute; 0 sets no limit.
    """

    def __init__(self, app: ASGIApp, in_flight: int, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.app, self.in_flight, self.rate, self._clock = app, in_flight, rate, clock
        self._tallies: dict[str, _Tally] = {}
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in CHANGING:
            await self.app(scope, receive, send)
            return
        try:
            with self.counted(scope["state"]["client"]):
                await self.app(scope, receive, send)
        except _Over as over:
            await problem_response(over)(scope, receive, send)

    @contextmanager
    def counted(self, client: str) -> Iterator[None]:
        """Within: one request of that client is in flight. Raises `TooManyRequests`."""
        tally = self._tally(client)
        now = self._clock()
        if len(tally.running) >= self.in_flight:
            wait = max(1, math.ceil(tally.seconds - (now - min(tally.running.values()))))
            raise _Over(
                f"{len(tally.running)} of your requests are in flight, which is the limit for one client. Try again in "
                f"about {wait} s.",
                retry_after=wait,
            )
        if self.rate:
            tally.tokens = min(self._full, tally.tokens + (now - tally.filled) * self.rate / 60)
            tally.filled = now
            if tally.tokens < 1:
                wait = max(1, math.ceil((1 - tally.tokens) * 60 / self.rate))
                raise _Over(
                    f"That is more than {self.rate:g} requests a minute, which is the limit for one client. Try again "
                    f"in {wait} s.",
                    retry_after=wait,
                )
            tally.tokens -= 1
        self._count += 1
        number = self._count
        tally.running[number] = now
        try:
            yield
        finally:
            began = tally.running.pop(number)
            tally.seconds += 0.2 * (self._clock() - began - tally.seconds)

    @property
    def _full(self) -> float:
        return max(1.0, self.rate)

    def _tally(self, client: str) -> _Tally:
        if client not in self._tallies:
            if len(self._tallies) >= MANY:
                self._forget_idle()
            self._tallies[client] = _Tally(self._full, self._clock())
        return self._tallies[client]

    def _forget_idle(self) -> None:
        """Let go of those that have nothing in flight and a full bucket: they are as if they had never asked."""
        now = self._clock()
        for client, tally in list(self._tallies.items()):
            full = not self.rate or tally.tokens + (now - tally.filled) * self.rate / 60 >= self._full
            if full and not tally.running:
                del self._tallies[client]


class _Over(TooManyRequests):
    """Raised here, and not by what was asked."""
