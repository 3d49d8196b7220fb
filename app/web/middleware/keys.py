"""API keys from a file. The file is read again when it changes."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from ...contract.problems import Problem

log = logging.getLogger(__name__)
MIN_LENGTH = 16  # characters of a key
NAME = re.compile(r"[\w.@+-]{1,64}")
SECRET = re.compile(rf"[!-~]{{{MIN_LENGTH},512}}")


@dataclass(frozen=True)
class Key:
    """The name of a key's owner, and the key's SHA-256: the key itself is not kept."""

    name: str
    digest: bytes


class Keys:
    """The keys of a file with one `name:key` per line; `#` starts a comment line. A name may have several keys.

    Raises `Problem` if the file cannot be read at first. If it cannot be read later, the keys read last stay valid.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[Key, ...] = ()
        self._last_signature = self._signature()
        try:
            self._known = read_keys(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            problem = Problem(f"API keys: {path}: {_reason(error)}.")
            problem.title = "Cannot start"
            raise problem from error

    def __len__(self) -> int:
        return len(self._known)

    def find(self, given: str) -> Key | None:
        """The known key that equals `given`, or None. Comparing takes the same time for any wrong key."""
        self._refresh()
        digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()
        found = None
        for key in self._known:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def is_valid(self, key: Key) -> bool:
        """Whether a key is still in the file."""
        self._refresh()
        return key in self._known

    def _refresh(self) -> None:
        signature = self._signature()
        if signature == self._last_signature:
            return
        self._last_signature = signature
        try:
            self._known = read_keys(self._path.read_text("utf-8"))
            log.info("API keys were read again: there are %d", len(self._known))
        except (OSError, ValueError) as error:
            log.error("API keys: %s; those known before stay", _reason(error))

    def _signature(self) -> tuple[int, ...]:
        """Times, size and inode of the file, by which a change is noticed; empty if there is no file."""
        try:
            stat = self._path.stat()
        except OSError:
            return ()
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


def read_keys(text: str) -> tuple[Key, ...]:
    """The keys in the text of a file. Raises `ValueError` that names the faulty line."""
    keys: list[Key] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, secret = (part.strip() for part in line.partition(":"))
        if not colon or not NAME.fullmatch(name):
            raise ValueError(f"line {number} is no name:key (a name is of letters, digits and . @ + - _)")
        if not SECRET.fullmatch(secret):
            raise ValueError(f"line {number}: a key is at least {MIN_LENGTH} printable characters without spaces")
        digest = hashlib.sha256(secret.encode()).digest()
        if any(digest == known.digest for known in keys):
            raise ValueError(f"line {number}: the same key stands in another line too")
        keys.append(Key(name, digest))
    if not keys:
        raise ValueError("there is no key in it")
    return tuple(keys)


def _reason(error: Exception) -> str:
    return (error.strerror or "cannot be read") if isinstance(error, OSError) else str(error)
