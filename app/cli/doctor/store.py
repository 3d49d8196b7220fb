"""Checks of the store, without changing it."""

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
from ...zoo.paths import short_path
from .finding import Diagnosis, format_bytes

MIN_FREE = 64 * 2**20  # free bytes that a few records need


def store(settings: Settings) -> Iterator[Diagnosis]:
    """Whether the store can be written, what it holds, and whether the disk has room for its growth."""
    if isinstance(settings.store, str) and not settings.store.startswith("file:"):
        yield _bucket(settings)
        return
    folder = store_folder(settings)
    if not folder.exists() and may_write(folder):
        yield Diagnosis("store", "ok", f"{short_path(folder)} is made at the first start")
    elif folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        remedy = f"Make the server's user its owner ({_user()}), or set GRADOSCOPE_STORE to another folder"
        yield Diagnosis("store", "wrong", f"{short_path(folder)} cannot be read", remedy)
        return
    elif not _can_write(folder):
        remedy = f"Make the server's user its owner ({_user()}), or set GRADOSCOPE_STORE to another folder"
        yield Diagnosis(
            "store", "wrong", f"{short_path(folder)} cannot be written: nothing that is computed is kept", remedy
        )
        return
    used = 0
    if folder.exists():
        used, diagnosis = _content(folder) if isinstance(settings.store, Path) else _shared(settings)
        yield diagnosis
    yield _space(settings, used)


def may_write(folder: Path) -> bool:
    """Whether files can be written into the folder, or the folder can be created."""
    nearest = folder.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def store_folder(settings: Settings) -> Path:
    """The folder of a store on a disk."""
    return settings.store if isinstance(settings.store, Path) else Path(settings.store.removeprefix("file://"))


def _bucket(settings: Settings) -> Diagnosis:
    """Whether the bucket can be reached and written; `now` writes the `clock` object, whose time is the bucket's."""
    remedy = "Give endpoint and credentials in the environment, as AWS_ENDPOINT_URL and AWS_ACCESS_KEY_ID do for s3://"
    try:
        FsspecObjectStore(str(settings.store)).now()
        return _shared(settings)[1]
    except Problem as problem:
        reason = describe_error(problem.__cause__ or problem)
        return Diagnosis("store", "wrong", f"{settings.store} cannot be used: {reason}", remedy)


def _shared(settings: Settings) -> tuple[int, Diagnosis]:
    """The bytes in a shared store; shared blobs count once."""
    records, used = open_store(settings).usage()
    return used, Diagnosis(
        "store", "ok", f"{settings.store}, shared, holds {records} explanations, {format_bytes(used)}"
    )


def _content(folder: Path) -> tuple[int, Diagnosis]:
    """The bytes in a store with an index. The index is only read: replacing a damaged one is the server's task."""
    indexes = sorted(folder.glob("index*.sqlite3"))  # normally one; of several the server opens the last
    if not indexes:
        return 0, Diagnosis("store", "ok", f"{short_path(folder)} can be written, and is empty")
    if not os.access(indexes[-1], os.R_OK | os.W_OK):
        remedy = f"Make the server's user the owner of its files ({_user()}): chown -R"
        return 0, Diagnosis("store", "wrong", f"the index in {short_path(folder)} cannot be read or written", remedy)
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
    return used, Diagnosis("store", "ok", f"{short_path(folder)} holds {records} explanations, {format_bytes(used)}")


def _space(settings: Settings, used: int) -> Diagnosis:
    folder = store_folder(settings)
    while not folder.exists():
        folder = folder.parent
    free, wanted = shutil.disk_usage(folder).free, max(0, settings.store_bytes - used)
    detail = f"{format_bytes(free)} free on its disk; the store may grow to {format_bytes(settings.store_bytes)}"
    if free < MIN_FREE:
        return Diagnosis("disk", "wrong", detail, "Make room, or set GRADOSCOPE_STORE to another disk")
    if free < wanted:
        return Diagnosis("disk", "attention", detail, f"Lower GRADOSCOPE_STORE_BYTES to {used + free // 2}")
    return Diagnosis("disk", "ok", detail)


def _can_write(folder: Path) -> bool:
    """Whether a file can be written into the folder; it is deleted again."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"written")
        return True
    except OSError:
        return False


def _user() -> str:
    return f"uid {os.getuid()}" if hasattr(os, "getuid") else "its account"
