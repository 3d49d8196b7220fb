"""How a run over many pictures goes on where it was interrupted: explain, with a cluster too, and evaluate.

Each finished result stands on disk with its mark, a hash of all that determines it, and appears there whole or not at
all. A run that is started again makes the same marks, finds what is there, and computes the rest. There are two kinds:
the folder of an explained picture, with the mark in its record, and a file of its own in a `ResultCache`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..contract.problems import Problem
from ..contract.wire import JsonObject

RECORD = "explanation.json"
NOTE = "What evaluate has found so far. It may be deleted: the next run computes it again.\n"
NAMED = 40  # digits of a mark that a file in a cache is named by


def hash_of(*values: Any) -> str:
    """SHA-256 of JSON values, in hexadecimal."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def picture_mark(data: bytes, about: tuple[Any, ...]) -> str:
    """The mark of what comes of a picture: of its bytes, and of all else that determines it, as `Batch.about`."""
    return hash_of(hashlib.sha256(data).hexdigest(), *about)


class ResultFolder:
    """The folder of an explained picture: its files, with the mark in the record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def mark(self) -> str | None:
        """The mark of what is there; None where nothing is, or no result of a run over many pictures."""
        try:
            found = json.loads((self.folder / RECORD).read_bytes())["mark"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return str(found)

    def holds(self, mark: str) -> bool:
        """Whether the result with this mark is there: it need not be made again."""
        return self.mark == mark

    def write(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write a result, whole or not at all; one that was there is replaced. Raises `Problem`."""
        try:
            write_folder(self.folder, files)
        except OSError as error:
            raise _unwritten(self.folder, error) from error


class ResultCache:
    """Records by their marks, each a file in `folder`. Those of other questions stay beside."""

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
        """Write a record, whole or not at all. Raises `Problem`."""
        try:
            write_file(self._path(mark), json.dumps(record).encode())
        except OSError as error:
            raise _unwritten(self.folder, error) from error

    def _path(self, mark: str) -> Path:
        return self.folder / mark[:2] / f"{mark[2:NAMED]}.json"


def write_file(path: Path, data: bytes) -> None:
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


def write_folder(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files, each with its path within, into a folder that appears whole or not at all.

    An explanation that was there is replaced. Raises `OSError`, also where the folder holds something else.
    """
    part = folder.with_name(f".gradoscope-{hashlib.sha256(folder.name.encode()).hexdigest()[:16]}.part")
    shutil.rmtree(part, ignore_errors=True)  # a run that was killed has left it
    try:
        for name, data in files:
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if (folder / RECORD).is_file():
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _unwritten(folder: Path, error: OSError) -> Problem:
    return Problem(f"{folder} cannot be written: {error.strerror or error}.")
