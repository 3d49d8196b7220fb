"""Where explanations are kept: looked at, and nothing of it changed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from ...contract.problems import Problem
from ...settings import Settings
from ...storage.object_store import FsspecObjectStore, describe_error
from ...storage.stores import open_store
from ...zoo.weights import short_path
from .finding import Diagnosis, size

LEAST = 64 * 2**20  # bytes free, below which not even some records fit


def store(settings: Settings) -> Iterator[Diagnosis]:
    """Whether it can be written, what is in it, and whether the disk holds what it may grow to."""
    if isinstance(settings.store, str) and not settings.store.startswith("file:"):
        yield _bucket(settings)
        return
    folder = place(settings)
    if not folder.exists() and may_write(folder):
        yield Diagnosis("store", "ok", f"{short_path(folder)} is made at the first start")
    elif not _written(folder):
        remedy = f"Give it to the server's user ({_user()}), or set GRADOSCOPE_STORE to another folder"
        yield Diagnosis(
            "store", "wrong", f"{short_path(folder)} cannot be written: nothing that is computed is kept", remedy
        )
        return
    used = 0
    if folder.exists():
        used, finding = _content(folder) if isinstance(settings.store, Path) else _shared(settings)
        yield finding
    yield _space(settings, used)


def may_write(folder: Path) -> bool:
    """Whether files can be put there, the folder being made where it is not there yet."""
    nearest = folder.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def place(settings: Settings) -> Path:
    """The folder of a store that is in one."""
    return settings.store if isinstance(settings.store, Path) else Path(settings.store.removeprefix("file://"))


def _bucket(settings: Settings) -> Diagnosis:
    """Whether it can be reached and written, by the object that every sweep of a server writes."""
    remedy = "Give endpoint and credentials in the environment, as AWS_ENDPOINT_URL and AWS_ACCESS_KEY_ID do for s3://"
    try:
        FsspecObjectStore(str(settings.store)).now()
        return _shared(settings)[1]
    except Problem as problem:
        reason = describe_error(problem.__cause__ or problem)
        return Diagnosis("store", "wrong", f"{settings.store} cannot be used: {reason}", remedy)


def _shared(settings: Settings) -> tuple[int, Diagnosis]:
    """Bytes of all that is stored, those that explanations share counted once."""
    records, used = open_store(settings).usage()
    return used, Diagnosis("store", "ok", f"{settings.store}, shared, holds {records} explanations, {size(used)}")


def _content(folder: Path) -> tuple[int, Diagnosis]:
    """Bytes of all that is stored. The index is opened for reading only: the server, which begins a damaged one anew,
    is to be the one to say so."""
    indexes = sorted(folder.glob("index*.sqlite3"))
    if not indexes:
        return 0, Diagnosis("store", "ok", f"{short_path(folder)} can be written, and is empty")
    address = f"file:{quote(str(indexes[-1]))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as index:
            faults = index.execute("PRAGMA quick_check(1)").fetchone()[0]
            records = index.execute("SELECT COUNT(*) FROM record").fetchone()[0]
            used = index.execute("SELECT COALESCE(SUM(bytes), 0) FROM blob").fetchone()[0]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        faults, records, used = str(error), 0, 0
    if faults != "ok":
        remedy = "The server begins a new one by itself, and what was stored is forgotten"
        return 0, Diagnosis("store", "attention", f"the index in {short_path(folder)} is damaged: {faults}", remedy)
    return used, Diagnosis("store", "ok", f"{short_path(folder)} holds {records} explanations, {size(used)}")


def _space(settings: Settings, used: int) -> Diagnosis:
    folder = place(settings)
    while not folder.exists():
        folder = folder.parent
    free, wanted = shutil.disk_usage(folder).free, max(0, settings.store_bytes - used)
    detail = f"{size(free)} free on its disk; the store may grow to {size(settings.store_bytes)}"
    if free < LEAST:
        return Diagnosis("disk", "wrong", detail, "Make room, or set GRADOSCOPE_STORE to another disk")
    if free < wanted:
        return Diagnosis("disk", "attention", detail, f"Lower GRADOSCOPE_STORE_BYTES to {used + free // 2}")
    return Diagnosis("disk", "ok", detail)


def _written(folder: Path) -> bool:
    """Whether a file can be written there; it is gone again."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"written")
        return True
    except OSError:
        return False


def _user() -> str:
    return f"uid {os.getuid()}" if hasattr(os, "getuid") else "its account"
