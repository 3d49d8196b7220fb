"""When a server wants to be asked again."""

from __future__ import annotations

import time
from email.utils import formatdate

import httpx2
import pytest
from gradoscope.client import responses


def wait(said: str) -> int | None:
    return responses.retry_after(httpx2.Response(503, headers={"retry-after": said}))


def test_seconds_and_times_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_700_000_000.25
    monkeypatch.setattr(time, "time", lambda: now)
    assert wait("7") == 7
    assert wait(formatdate(now + 90, usegmt=True)) == 90
    assert wait(formatdate(now - 90, usegmt=True)) == 0


@pytest.mark.parametrize("said", ["", "soon", "-3", "1.5", "Sun, 99 Nov 2026 00:00:00 GMT"])
def test_what_is_neither_says_nothing(said: str) -> None:
    assert wait(said) is None
