"""uvicorn's HTTP/1.1 connection with additional time-outs and limits, and with problems as error responses.

uvicorn itself waits for ever for a request's head, for the rest of a body after the response, and for a client that
does not read; and its error responses are plain text.
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
from ...contract.problems import HeadTooLarge, MalformedRequest, NotImplementedHere, Problem, TooSlow, Unavailable
from ...settings import Settings
from .bounded_http import MAX_HEAD, MAX_HEAD_LINES, BoundedHTTP, HoldableFlowControl
from .security_headers import SECURITY_HEADERS

log = logging.getLogger(__name__)
STALL_SECONDS = 60.0  # a client that reads nothing for so long is disconnected
LINGER_SECONDS = 2.0  # a refused client has so long to read why, before the connection is closed
RETRY_SECONDS = 5
PIECE = 16 * 1024  # bytes that are parsed at once


class Connection(H11Protocol):
    """One connection. The time-out for a head, and for the rest of a body after the response, is `header_seconds`."""

    conn: BoundedHTTP
    flow: HoldableFlowControl
    header_seconds: ClassVar[float] = 10.0
    max_connections: ClassVar[int] = 512

    @staticmethod
    def on_refused(problem: Problem) -> None:
        """Called with the problem if a connection ends with one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = BoundedHTTP()
        self._backlog = bytearray()  # received, but not parsed yet
        self._continuing = False  # whether the rest is parsed in the next turn of the event loop
        self.app = self._closing_if_early(self.app)
        self._timeout: asyncio.TimerHandle | None = None
        self._waiting_since = self.loop.time()  # when the wait for a head began
        self._unsent = 0  # bytes that waited to be sent at the last check for a stall
        self._ignoring = False  # whether what still arrives is ignored: a problem, or an early response, ends it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(LingeringTransport(transport, self))  # type: ignore[arg-type]
        self.flow = HoldableFlowControl(transport)
        self._timeout = self.loop.call_later(self.header_seconds, self._timed_out)
        self._stall_check = self.loop.call_later(STALL_SECONDS, self._abort_if_stalled)
        self._close_longest_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall_check.cancel()
        self._cancel_timeout()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._ignoring:
            return
        self._backlog += data
        if not self._continuing:
            self.conn.begin_turn()
            self._parse()
        self._update_timeout()

    def handle_events(self) -> None:
        super().handle_events()
        if self.conn.exhausted and not self._continuing:
            self._continuing = True
            self.flow.hold()
            self.loop.call_soon(self._continue)

    def _parse(self) -> None:
        """Parse what has arrived, up to the number of h11 events that one turn of the event loop is allowed."""
        while self._backlog and not self.conn.exhausted and not self._ignoring:
            piece = bytes(self._backlog[:PIECE])
            del self._backlog[:PIECE]
            super().data_received(piece)

    def _continue(self) -> None:
        """Go on where the last turn of the loop has stopped."""
        self._continuing = False
        if self._ignoring or self.transport.is_closing():
            return
        self.conn.begin_turn()
        self.handle_events()
        self._parse()
        if not self._continuing:
            self.flow.release()
        self._update_timeout()

    def _closing_if_early(self, app: Any) -> Any:
        """The application, whose response ends the connection if it begins before the request's body is here.

        The rest of such a body is not read. If the client did not know, it might send its next request after it.
        """

        async def closing(scope: Any, receive: Any, send: Any) -> None:
            async def send_and_close(message: Any) -> None:
                if message["type"] == "http.response.start" and self.conn.their_state is h11.SEND_BODY:
                    others = [header for header in message.get("headers", ()) if header[0].lower() != b"connection"]
                    message = {**message, "headers": [*others, (b"connection", b"close")]}
                await send(message)

            await app(scope, receive, send_and_close)

        return closing

    def linger_over_body(self) -> bool:
        """If a body is still coming, leave the client time to read the response: closing at once might lose it."""
        if self._ignoring or self.conn.their_state is not h11.SEND_BODY:
            return False
        self._ignoring = True
        self._backlog.clear()
        self._cancel_timeout()
        self._linger()
        return True

    def on_response_complete(self) -> None:
        if not self._continuing:
            self.conn.begin_turn()
        super().on_response_complete()
        self._waiting_since = self.loop.time()
        self._update_timeout()

    def resume_writing(self) -> None:
        self._unsent = 0
        super().resume_writing()

    @property
    def idle(self) -> bool:
        """Whether no request is being read or answered; an incomplete head does not count."""
        return not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete)

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn if h11 cannot continue; h11's error knows more than `msg`."""
        status = getattr(sys.exception(), "error_status_hint", 400)
        if status == 431:
            self._refuse(
                HeadTooLarge(
                    f"The request's head is larger than {MAX_HEAD:,} bytes, or has more than {MAX_HEAD_LINES} lines. "
                    "Send fewer or shorter headers."
                )
            )
        else:
            kind = NotImplementedHere if status == NotImplementedHere.status else MalformedRequest
            problem = kind("This is no HTTP/1.1 request that this server understands.")
            problem.status = status
            self._refuse(problem)

    def _update_timeout(self) -> None:
        """Start or cancel the time-out, depending on what the connection waits for."""
        state = self.conn.their_state
        if state is h11.IDLE:
            if self.conn.trailing_data[0] or self.timeout_keep_alive_task is None:
                self._start_timeout()  # else uvicorn's own time-out for idle connections runs
        elif state is h11.SEND_BODY and self.cycle.response_complete:
            self._start_timeout()  # a body that the application no longer reads
        else:
            self._cancel_timeout()

    def _start_timeout(self) -> None:
        if self._timeout is None:
            self._timeout = self.loop.call_later(self.header_seconds, self._timed_out)

    def _cancel_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def _timed_out(self) -> None:
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(TooSlow(f"The request's head was not here within {self.header_seconds:g} s."))
        else:  # no request has begun, or it is answered
            self.transport.close()

    def _close_longest_idle(self) -> None:
        """If there are too many connections, close the one that has been idle for longest."""
        if len(self.connections) <= self.max_connections:
            return
        open_ones = [c for c in self.connections if isinstance(c, Connection) and not c.transport.is_closing()]
        if len(open_ones) <= self.max_connections:
            return
        idle = [connection for connection in open_ones if connection.idle and connection is not self]
        if idle:
            min(idle, key=lambda connection: connection._waiting_since).transport.close()
        else:
            self._refuse(
                Unavailable("Too many connections are open. Try again in some seconds.", retry_after=RETRY_SECONDS)
            )
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Send a problem, unless a response has begun, and close."""
        self._ignoring = True
        self._cancel_timeout()
        if self.cycle is not None and not self.cycle.response_complete:  # tell the application that the client has left
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        with request_id.as_current(request_id.valid_or_new(None)):
            self.transport.write(self._response(problem))
            log.info("a connection is refused: %d, %s", problem.status, problem.detail)
        self.on_refused(problem)
        self._linger()

    def _linger(self) -> None:
        """Send nothing more, and close the connection a little later: what still arrives is not looked at."""
        self.flow.release()
        if self.transport.can_write_eof():
            with suppress(OSError):  # the client has left
                self.transport.write_eof()
            self._timeout = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()

    def _response(self, problem: Problem) -> bytes:
        body = json.dumps(problem.to_dict()).encode()
        headers = {
            **SECURITY_HEADERS,
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

    def _abort_if_stalled(self) -> None:
        """Abort if the client reads nothing: while writing is paused or the connection closes, the buffer must
        shrink."""
        waiting = self.transport.get_write_buffer_size()
        if self._unsent and waiting >= self._unsent:
            self.transport.abort()
            return
        self._unsent = waiting if self.flow.write_paused or self.transport.is_closing() else 0
        self._stall_check = self.loop.call_later(STALL_SECONDS, self._abort_if_stalled)


class LingeringTransport:
    """A transport that its connection may keep open for a while after it was told to close."""

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport, self._connection = transport, connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> None:
        if not self._connection.linger_over_body():
            self._transport.close()


def connection_class(settings: Settings, on_refused: Callable[[Problem], None]) -> type[Connection]:
    """A connection class with these settings, because uvicorn creates connections without our arguments.

    `on_refused` is called with the problem if a connection ends before there is a request.
    """
    limits = {"header_seconds": settings.header_seconds, "max_connections": settings.max_connections}
    return type("Connection", (Connection,), {**limits, "on_refused": staticmethod(on_refused)})
