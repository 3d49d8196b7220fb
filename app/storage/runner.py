"""The name of a process that computes explanations, and whether it still lives.

Several servers may use one folder. Each process that computes holds a lock on a file of its own; the system releases
the lock when the process ends, however it ends. So another server sees which explanations nobody computes any more.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import weakref
from contextlib import suppress
from pathlib import Path

FOLDER = "runners"


class Runner:
    """This process as a runner of the store in `folder`. Raises `OSError` if the folder cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.name = secrets.token_hex(8)
        place = folder / FOLDER
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = place / self.name
        part = path.with_name(f"{self.name}.part")
        lock = os.open(part, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(part, path)  # under its name it is never seen without its lock
        self.close = weakref.finalize(self, _release, lock, path)


def is_alive(folder: Path, name: str) -> bool:
    """Whether the process of that name holds its lock. The file of one that has ended is removed."""
    path = folder / FOLDER / name
    if not name.isalnum():  # it comes from a damaged index
        return False
    try:
        lock = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
        return False
    except OSError:
        return True
    finally:
        os.close(lock)


def _release(lock: int, path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        os.close(lock)
