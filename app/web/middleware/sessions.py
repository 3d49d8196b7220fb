"""Browser sessions: a cookie stands for an API key, so that images and downloads of a page are authorised too."""

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
MAX_SESSIONS = 10_000


@dataclass(frozen=True)
class _Session:
    key: Key
    ends: float


class Sessions:
    """Random tokens and their API keys, in memory; only the tokens' hashes are kept.

    A session ends when it is closed, after a week, when its key is removed from the file, and with the server.
    """

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._clock = keys, clock
        self._open: OrderedDict[bytes, _Session] = OrderedDict()

    def create(self, key: Key) -> str:
        """Create a session; returns its token."""
        token = secrets.token_urlsafe(32)
        self._open[_digest(token)] = _Session(key, self._clock() + SECONDS)
        while len(self._open) > MAX_SESSIONS:
            self._open.popitem(last=False)
        return token

    def find(self, token: str) -> Key | None:
        """The key of a token; None if its session has ended."""
        session = self._open.get(_digest(token))
        if session is None:
            return None
        if self._clock() >= session.ends or not self._keys.is_valid(session.key):
            self.end(token)
            return None
        return session.key

    def end(self, token: str) -> None:
        self._open.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    """The key of the lookup. A hash, so that the time of a lookup reveals nothing about other tokens."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
