"""Sessions of browsers: a cookie stands for an API key, so that pictures and downloads in a page have it too."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from .keys import Key, Keys

COOKIE = "gradoscope_session"
SECONDS = 7 * 86400
MANY = 10_000


@dataclass(frozen=True)
class _Session:
    key: Key
    ends: float


class Sessions:
    """Random tokens and the keys that they stand for, in memory; only their hashes are kept.

    A session ends when it is closed, after a week, when its key leaves the file, and with the server.
    """

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._clock = keys, clock
        self._open: OrderedDict[bytes, _Session] = OrderedDict()

    def begin(self, key: Key) -> str:
        """A new token for that key."""
        token = secrets.token_urlsafe(32)
        self._open[_digest(token)] = _Session(key, self._clock() + SECONDS)
        while len(self._open) > MANY:
            self._open.popitem(last=False)
        return token

    def find(self, token: str) -> Key | None:
        """The key that a token stands for."""
        session = self._open.get(_digest(token))
        if session is None:
            return None
        if self._clock() >= session.ends or not self._keys.holds(session.key):
            self.end(token)
            return None
        return session.key

    def end(self, token: str) -> None:
        self._open.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    """By their hashes, so that the time that looking one up takes tells nothing of another."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
