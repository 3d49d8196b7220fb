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

    Raises `Problem` if the file cannot be read, or has a faulty line, at first. Later a faulty line is left out and the
    others count. If the file is gone, empty or unreadable, no key is valid: what an operator removes is never let in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[Key, ...] = ()
        self._last_signature = self._signature()
        try:
            self._known, faults = read_keys(path.read_bytes())
        except OSError as error:
            raise _cannot_start(path, _reason(error)) from error
        if faults or not self._known:
            raise _cannot_start(path, faults[0] if faults else "there is no key in it")

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
            self._known, faults = read_keys(self._path.read_bytes())
        except OSError as error:
            self._known, faults = (), [_reason(error)]
        for fault in faults:
            log.error("API keys: %s", fault)
        if self._known:
            log.info("API keys were read again: there are %d", len(self._known))
        else:
            log.error("API keys: there is none any more, so nobody is let in")

    def _signature(self) -> tuple[int, ...]:
        """Times, size and inode of the file, by which a change is noticed; empty if there is no file."""
        try:
            stat = self._path.stat()
        except OSError:
            return ()
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


def read_keys(data: bytes) -> tuple[tuple[Key, ...], list[str]]:
    """The keys in the bytes of a file, and what is wrong with each faulty line, which is left out."""
    keys: list[Key] = []
    faults = []
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, secret = (part.strip() for part in line.partition(":"))
        if not colon or not NAME.fullmatch(name):
            faults.append(f"line {number} is no name:key (a name is of letters, digits and . @ + - _)")
            continue
        if not SECRET.fullmatch(secret):
            faults.append(f"line {number}: a key is at least {MIN_LENGTH} printable characters without spaces")
            continue
        digest = hashlib.sha256(secret.encode()).digest()
        if any(digest == known.digest for known in keys):
            faults.append(f"line {number}: the same key stands in another line too")
            continue
        keys.append(Key(name, digest))
    return tuple(keys), faults


def _cannot_start(path: Path, reason: str) -> Problem:
    problem = Problem(f"API keys: {path}: {reason}.")
    problem.title = "Cannot start"
    return problem


def _reason(error: OSError) -> str:
    return error.strerror or "cannot be read"
