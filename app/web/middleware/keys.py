"""API keys out of a file, which is read again when it changes."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from ...contract.problems import Problem

log = logging.getLogger(__name__)
SHORTEST = 16  # characters
NAME = re.compile(r"[\w.@+-]{1,64}")
SECRET = re.compile(rf"[!-~]{{{SHORTEST},512}}")


@dataclass(frozen=True)
class Key:
    """Whose it is, and its SHA-256: the key itself is not kept."""

    name: str
    digest: bytes


class Keys:
    """The keys of a file with a `name:key` in each line; `#` begins a comment. A name may have several.

    Raises `Problem` where it cannot be read at the start. Where it cannot be read later, those known before stay.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[Key, ...] = ()
        self._seen = self._signature()
        try:
            self._known = read_keys(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            problem = Problem(f"API keys: {path}: {_reason(error)}.")
            problem.title = "Cannot start"
            raise problem from error

    def __len__(self) -> int:
        return len(self._known)

    def find(self, given: str) -> Key | None:
        """The key that was given, where it is one. Takes as long for any other, however much of it is right."""
        self._refresh()
        digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()
        found = None
        for key in self._known:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def holds(self, key: Key) -> bool:
        """Whether a key that was found is one still."""
        self._refresh()
        return key in self._known

    def _refresh(self) -> None:
        signature = self._signature()
        if signature == self._seen:
            return
        self._seen = signature
        try:
            self._known = read_keys(self._path.read_text("utf-8"))
            log.info("API keys were read again: there are %d", len(self._known))
        except (OSError, ValueError) as error:
            log.error("API keys: %s; those known before stay", _reason(error))

    def _signature(self) -> tuple[int, ...]:
        """Of the file as it is now; empty where there is none."""
        try:
            about = self._path.stat()
        except OSError:
            return ()
        return about.st_mtime_ns, about.st_ctime_ns, about.st_size, about.st_ino


def read_keys(text: str) -> tuple[Key, ...]:
    """The keys of a file. Raises `ValueError` with the line that is at fault."""
    keys: list[Key] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, secret = (part.strip() for part in line.partition(":"))
        if not colon or not NAME.fullmatch(name):
            raise ValueError(f"line {number} is no name:key (a name is of letters, digits and . @ + - _)")
        if not SECRET.fullmatch(secret):
            raise ValueError(f"line {number}: a key is at least {SHORTEST} printable characters without spaces")
        digest = hashlib.sha256(secret.encode()).digest()
        if any(digest == known.digest for known in keys):
            raise ValueError(f"line {number}: the same key stands in another line too")
        keys.append(Key(name, digest))
    if not keys:
        raise ValueError("there is no key in it")
    return tuple(keys)


def _reason(error: Exception) -> str:
    return (error.strerror or "cannot be read") if isinstance(error, OSError) else str(error)
