"""Browser sessions: a cookie stands for an API key, so that images and downloads of a page are authorised too."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

from cachetools import TTLCache

from .keys import Key, Keys

COOKIE = "gradoscope_session"
SECONDS = 7 * 86400
MAX_SESSIONS = 10_000


class Sessions:
    """Random tokens and their API keys, in memory; only the tokens' hashes are kept.

    A session ends when it is closed, after a week, when its key is removed from the file, and with the server.
    """

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._open: TTLCache[bytes, Key] = TTLCache(MAX_SESSIONS, SECONDS, timer=clock)

    def create(self, key: Key) -> str:
        """Create a session; returns its token."""
        token = secrets.token_urlsafe(32)
        self._open[_digest(token)] = key
        return token

    def find(self, token: str) -> Key | None:
        """The key of a token; None if its session has ended."""
        key = self._open.get(_digest(token))
        if key is not None and not self._keys.is_valid(key):
            self.end(token)
            return None
        return key

    def end(self, token: str) -> None:
        self._open.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    """The key of the lookup. A hash, so that the time of a lookup reveals nothing about other tokens."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
