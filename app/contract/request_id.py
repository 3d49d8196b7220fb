"""One id for each request: in its answer, in its problems, and in its log lines, in the worker's too."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """The id of the request that is being answered here; empty outside of one."""
    return _current.get()


def accepted(given: str | None) -> str:
    """`given` where it is sane (it will stand in logs), else a new one."""
    return given if given and SANE.fullmatch(given) else secrets.token_hex(8)


@contextmanager
def bound(id: str) -> Iterator[None]:
    """Within: everything is about the request with that id."""
    before = _current.set(id)
    try:
        yield
    finally:
        _current.reset(before)
