"""Sessions of browsers: a cookie stands for an API key, so that pictures and downloads in a page have it too."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

from cachetools import TTLCache

from .keys import Key, Keys

COOKIE = "gradoscope_session"
SECONDS = 7 * 86400
MANY = 10_000


class Sessions:
    """Random tokens and the keys that they stand for, in memory; only their hashes are kept.

    A session ends when it is closed, after a week, when its key leaves the file, and with the server; where there are
    too many, the one that was not used for longest ends.
    """

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._open: TTLCache[bytes, Key] = TTLCache(MANY, SECONDS, timer=clock)

    def begin(self, key: Key) -> str:
        """A new token for that key."""
        token = secrets.token_urlsafe(32)
        self._open[_digest(token)] = key
        return token

    def find(self, token: str) -> Key | None:
        """The key that a token stands for."""
        key = self._open.get(_digest(token))
        if key is not None and not self._keys.holds(key):
            self.end(token)
            return None
        return key

    def end(self, token: str) -> None:
        self._open.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    """By their hashes, so that the time that looking one up takes tells nothing of another."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
