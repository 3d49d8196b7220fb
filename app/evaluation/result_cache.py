"""Intermediate results of an evaluation in small files, so that an interrupted run can continue.

A file's name is a hash of everything that determines its content.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..contract.problems import Problem

README_TEXT = "What evaluate has found so far. It may be deleted: the next run computes it again.\n"


class ResultCache:
    """Records by key, in `folder`, written atomically. Records of other evaluations may be in the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "README").write_text(README_TEXT)
        except OSError as error:
            raise _write_problem(folder, error) from error

    def read(self, key: str) -> dict[str, Any] | None:
        """The record with this key; None if there is none, or it is damaged."""
        try:
            record = json.loads(self._path(key).read_bytes())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def write(self, key: str, record: dict[str, Any]) -> None:
        """Store a record. Raises `Problem`."""
        try:
            write_atomically(self._path(key), json.dumps(record).encode())
        except OSError as error:
            raise _write_problem(self.folder, error) from error

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key[2:]}.json"


def hash_of(*values: Any) -> str:
    """A hash of JSON values, for use as a key."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:40]


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file atomically. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        shutil.move(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write_problem(folder: Path, error: OSError) -> Problem:
    return Problem(f"{folder} cannot be written: {error.strerror or error}.")
