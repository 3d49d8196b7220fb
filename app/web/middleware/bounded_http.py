"""h11's parser and uvicorn's flow control, with bounds on what one turn of the event loop may do.

h11 parses all that has arrived at once: thousands of headers, or tens of thousands of one-byte chunks, and meanwhile
nobody else is answered. Here a head is measured before it is parsed, and after some events others have their turn.
"""

from __future__ import annotations

import re

import h11
from uvicorn.protocols.http.flow_control import FlowControl

MAX_HEAD = 16 * 1024  # bytes
MAX_HEAD_LINES = 128
MAX_EVENTS = 64  # parsed in one turn of the event loop
BLANK_LINE = re.compile(rb"\n\r?\n")


class BoundedHTTP(h11.Connection):
    """h11's connection. After `MAX_EVENTS` events it says that it needs data, until `begin_turn` is called.

    A head that is larger than `MAX_HEAD`, or has more lines than `MAX_HEAD_LINES`, is refused before it is parsed.
    """

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD)
        self._events_left = MAX_EVENTS

    def begin_turn(self) -> None:
        """Allow `MAX_EVENTS` more events."""
        self._events_left = MAX_EVENTS

    @property
    def exhausted(self) -> bool:
        """Whether there may be more events than this turn allows."""
        return self._events_left <= 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        if self.exhausted:
            return h11.NEED_DATA
        self._events_left -= 1
        if self.their_state is h11.IDLE:
            self._check_head()
        return super().next_event()

    def _check_head(self) -> None:
        head = self.trailing_data[0]
        end = BLANK_LINE.search(head)
        length = len(head) if end is None else end.start()
        if length > MAX_HEAD or head.count(b"\n", 0, length) > MAX_HEAD_LINES:
            raise h11.RemoteProtocolError("head too large", error_status_hint=431)


class HoldableFlowControl(FlowControl):
    """Flow control that reads nothing while it is held, whatever the application asks for."""

    _held = False

    def hold(self) -> None:
        self._held = True
        self._transport.pause_reading()

    def release(self) -> None:
        if self._held:
            self._held = False
            if not self.read_paused:
                self._transport.resume_reading()

    def resume_reading(self) -> None:
        if self._held:
            self.read_paused = False
        else:
            super().resume_reading()
