"""uvicorn's HTTP/1.1 connection, with the time-outs and limits that it has not, and with problems for refusals.

uvicorn waits for ever for a request's head, for what is left of a body after its answer, and for a reader that takes
nothing; and its own refusals are bare text.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ...contract import request_id
from ...contract.problems import HeadTooLarge, MalformedRequest, Problem, TooSlow, Unavailable
from ...settings import Settings
from .security_headers import SECURITY

log = logging.getLogger(__name__)
STALL_SECONDS = 60.0  # a reader that takes nothing for so long is disconnected
LINGER_SECONDS = 2.0  # for which a refused client may read why, before what it still sends resets the connection
RETRY_SECONDS = 5


class Connection(H11Protocol):
    """One connection. What it waits for has a time-out: `header_seconds` for a head, and for the rest of a body."""

    header_seconds: ClassVar[float] = 10.0
    max_connections: ClassVar[int] = 512

    @staticmethod
    def refused(problem: Problem) -> None:
        """Told of a problem with which a connection ends."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._late: asyncio.TimerHandle | None = None
        self._since = self.loop.time()  # when it began to wait for a head
        self._unsent = 0
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(self.header_seconds, self._timed_out)
        self._pulse = self.loop.call_later(STALL_SECONDS, self._check_progress)
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pulse.cancel()
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._since = self.loop.time()
        self._watch()

    def resume_writing(self) -> None:
        self._unsent = 0
        super().resume_writing()

    @property
    def idle(self) -> bool:
        """No request is being read or answered, but for a head that is not whole."""
        return not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete)

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls it where h11 cannot go on; h11's error knows more than `msg`."""
        status = getattr(sys.exception(), "error_status_hint", 400)
        if status == 431:
            self._refuse(HeadTooLarge("The request's head is larger than 16,384 bytes. Send fewer or shorter headers."))
        else:
            problem = MalformedRequest("This is no HTTP/1.1 request that this server understands.")
            problem.status = status
            self._refuse(problem)

    def _watch(self) -> None:
        """Arm or disarm the time-out, by what the connection waits for now."""
        state = self.conn.their_state
        if state is h11.IDLE:
            if self.conn.trailing_data[0] or self.timeout_keep_alive_task is None:
                self._wait()  # else uvicorn's own time-out for idle connections is on
        elif state is h11.SEND_BODY and self.cycle.response_complete:
            self._wait()  # a body that nobody reads any more
        else:
            self._stop_waiting()

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.header_seconds, self._timed_out)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _timed_out(self) -> None:
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(TooSlow(f"The request's head was not here within {self.header_seconds:g} s."))
        else:  # nothing was asked, or it is answered
            self.transport.close()

    def _make_room(self) -> None:
        """One connection too many takes the place of the one that has waited longest to be asked something."""
        if len(self.connections) <= self.max_connections:
            return
        open_ones = [c for c in self.connections if isinstance(c, Connection) and not c.transport.is_closing()]
        if len(open_ones) <= self.max_connections:
            return
        idle = [connection for connection in open_ones if connection.idle and connection is not self]
        if idle:
            min(idle, key=lambda connection: connection._since).transport.close()
        else:
            self._refuse(
                Unavailable("Too many connections are open. Try again in some seconds.", retry_after=RETRY_SECONDS)
            )
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Answer with a problem, where no answer has begun, and close."""
        self._refused = True
        self._stop_waiting()
        if self.cycle is not None and not self.cycle.response_complete:  # who answers it is told that it has gone
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        with request_id.bound(request_id.accepted(None)):
            self.transport.write(self._answer(problem))
            log.info("a connection is refused: %d, %s", problem.status, problem.detail)
        self.refused(problem)
        if self.transport.can_write_eof():
            with suppress(OSError):  # the client has gone
                self.transport.write_eof()
            self._late = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()

    def _answer(self, problem: Problem) -> bytes:
        body = json.dumps(problem.to_dict()).encode()
        headers = {
            **SECURITY,
            **problem.headers,
            "content-type": "application/problem+json",
            "content-length": str(len(body)),
            "connection": "close",
            "x-request-id": request_id.current(),
        }
        if problem.retry_after is not None:
            headers["retry-after"] = str(problem.retry_after)
        start = h11.Response(status_code=problem.status, headers=list(headers.items()), reason=problem.title.encode())
        pieces = [self.conn.send(event) for event in (start, h11.Data(data=body), h11.EndOfMessage())]
        return b"".join(piece or b"" for piece in pieces)

    def _check_progress(self) -> None:
        """While writing is paused, or the connection closes, nothing is added to what waits: it must become less."""
        waiting = self.transport.get_write_buffer_size()
        if self._unsent and waiting >= self._unsent:
            self.transport.abort()
            return
        self._unsent = waiting if self.flow.write_paused or self.transport.is_closing() else 0
        self._pulse = self.loop.call_later(STALL_SECONDS, self._check_progress)


def connections(settings: Settings, refused: Callable[[Problem], None]) -> type[Connection]:
    """The class of connections with these settings; uvicorn makes them without arguments of ours.

    `refused` is told of the problems with which connections end before there is a request.
    """
    limits = {"header_seconds": settings.header_seconds, "max_connections": settings.max_connections}
    return type("Connection", (Connection,), {**limits, "refused": staticmethod(refused)})
