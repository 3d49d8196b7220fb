"""The id of a request. It stands in its response, its problems and its log lines, also in those of the worker."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# ids that a client may choose: they are written to logs
ALLOWED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """The id of the request that is being handled in this context; empty if there is none."""
    return _current.get()


def valid_or_new(given: str | None) -> str:
    """`given` if it matches `ALLOWED_ID`; otherwise a new id."""
    return given if given and ALLOWED_ID.fullmatch(given) else secrets.token_hex(8)


@contextmanager
def as_current(id: str) -> Iterator[None]:
    """A context in which `current` returns `id`."""
    before = _current.set(id)
    try:
        yield
    finally:
        _current.reset(before)
