"""What a run has found so far, in small files named after all that determines them: an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..contract.problems import Problem
from ..contract.wire import JsonObject

NOTE = "What evaluate has found so far. It may be deleted: the next run computes it again.\n"


class ResultCache:
    """Records by a mark, in `folder`; each appears whole or not at all. Those of other questions stay beside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "README").write_text(NOTE)
        except OSError as error:
            raise _unwritten(folder, error) from error

    def read(self, mark: str) -> JsonObject | None:
        """None where there is none, or where it is damaged."""
        try:
            record = json.loads(self._path(mark).read_bytes())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def write(self, mark: str, record: Mapping[str, object]) -> None:
        """Raises `Problem`."""
        try:
            write_whole(self._path(mark), json.dumps(record).encode())
        except OSError as error:
            raise _unwritten(self.folder, error) from error

    def _path(self, mark: str) -> Path:
        return self.folder / mark[:2] / f"{mark[2:]}.json"


def mark(*about: Any) -> str:
    """A hash of JSON values."""
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()[:40]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all. Raises `OSError`."""
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


def _unwritten(folder: Path, error: OSError) -> Problem:
    return Problem(f"{folder} cannot be written: {error.strerror or error}.")
