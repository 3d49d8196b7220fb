"""Lets `explain` (also on a cluster) and `evaluate` continue an interrupted run over many pictures.

Each finished result is written to disk, completely or not at all, with its mark: a hash of everything that determines
it. A run that is started again computes the same marks, skips the results that are there, and computes the rest. A
result is either the folder of an explained picture, with the mark in its record (`ResultFolder`), or one file in a
`ResultCache`.
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
README = "What evaluate has found so far. It may be deleted: the next run computes it again.\n"
FILE_NAME_DIGITS = 40  # digits of the mark in the path of a cached file


def hash_of(*values: Any) -> str:
    """SHA-256 of JSON values, in hexadecimal."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def picture_mark(data: bytes, about: tuple[Any, ...]) -> str:
    """The mark of a picture's result: a hash of its bytes and of all else that determines it (`Batch.about`)."""
    return hash_of(hashlib.sha256(data).hexdigest(), *about)


class ResultFolder:
    """The folder of an explained picture: its files, with the mark in the record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def mark(self) -> str | None:
        """The mark of the result in the folder; None if there is no result, or one without a mark."""
        try:
            found = json.loads((self.folder / RECORD).read_bytes())["mark"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return str(found)

    def holds(self, mark: str) -> bool:
        """Whether the folder has the result with this mark, so that it need not be computed again."""
        return self.mark == mark

    def write(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write a result, completely or not at all. An earlier one is replaced. Raises `Problem`."""
        try:
            write_folder(self.folder, files)
        except OSError as error:
            raise _cannot_write(self.folder, error) from error


class ResultCache:
    """Records by their marks, each a file in `folder`. Runs with other settings can share the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "README").write_text(README)
        except OSError as error:
            raise _cannot_write(folder, error) from error

    def read(self, mark: str) -> JsonObject | None:
        """The record with this mark; None if there is none or its file is damaged."""
        try:
            record = json.loads(self._path(mark).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        return record if isinstance(record, dict) else None

    def write(self, mark: str, record: Mapping[str, object]) -> None:
        """Write a record, completely or not at all. Raises `Problem`."""
        try:
            write_file(self._path(mark), json.dumps(record).encode())
        except OSError as error:
            raise _cannot_write(self.folder, error) from error

    def _path(self, mark: str) -> Path:
        return self.folder / mark[:2] / f"{mark[2:FILE_NAME_DIGITS]}.json"


def require_writable(folder: Path) -> None:
    """Raise `Problem` if nothing can be written into a folder, or where it will be made. Called before computing."""
    nearest = folder.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise _cannot_write(folder, error) from error


def write_file(path: Path, data: bytes) -> None:
    """Write a file completely or not at all. Raises `OSError`."""
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
    """Write a folder completely or not at all. `files` are pairs of a path inside the folder and its content.

    An explanation that was there is replaced. Raises `OSError`, also if the folder has other content.
    """
    unfinished = folder.with_name(f".gradoscope-{hashlib.sha256(folder.name.encode()).hexdigest()[:16]}.part")
    shutil.rmtree(unfinished, ignore_errors=True)  # left by a run that was killed
    try:
        for name, data in files:
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if (folder / RECORD).is_file():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _cannot_write(folder: Path, error: OSError) -> Problem:
    return Problem(f"{folder} cannot be written: {error.strerror or error}.")
