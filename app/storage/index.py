"""The store's index: an SQLite file that web process and worker both open. Also handles damage and disk errors.

A damaged or deleted index is replaced by a new, empty one. It gets a new file name, because SQLite removes files by
name when it closes the old one.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import secrets
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from ..contract.problems import NotStored, Problem, StorageFull, Unavailable
from . import clock

log = logging.getLogger(__name__)
VERSION = 3
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS record (
        id TEXT PRIMARY KEY, created REAL NOT NULL, body TEXT NOT NULL, owner TEXT NOT NULL DEFAULT ''
    )""",
    """CREATE TABLE IF NOT EXISTS blob (
        key TEXT PRIMARY KEY, bytes INTEGER NOT NULL, meta TEXT NOT NULL, digest TEXT NOT NULL DEFAULT ''
    )""",
    """CREATE TABLE IF NOT EXISTS uses (
        record TEXT NOT NULL REFERENCES record (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        key TEXT NOT NULL REFERENCES blob (key),
        PRIMARY KEY (record, name)
    )""",
    "CREATE INDEX IF NOT EXISTS uses_by_key ON uses (key)",
    # a record with a pin is not deleted; `runner` is the process that computes it (see store.py)
    """CREATE TABLE IF NOT EXISTS pin (
        record TEXT NOT NULL REFERENCES record (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        runner TEXT NOT NULL,
        until REAL NOT NULL,
        PRIMARY KEY (record, name)
    )""",
    clock.SCHEMA,
)
TABLES = ("record", "blob", "uses", "pin", "clock")
ADDED = (("record", "owner"), ("blob", "digest"))  # columns that an index of an older version lacks
LOCK_SECONDS = 5.0  # how long to wait for a locked index
TRUNCATE_SECONDS = 1.0
TRIES = 3
REPLACED = "The store of explanations was lost or damaged, and is begun anew. Try again."
FULL = (errno.ENOSPC, errno.EDQUOT)
IndexFile = tuple[Path, int]  # path and inode: another file at the same path is another index


class Index:
    """Transactions on the index in `folder`. Raises problems if it cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: list[tuple[IndexFile, sqlite3.Connection]] = []
        weakref.finalize(self, _close_all, self._idle)

    def close(self) -> None:
        """Close all connections. A later call opens new ones."""
        _close_all(self._idle)

    @contextmanager
    def transaction(self, write: bool = True) -> Iterator[sqlite3.Connection]:
        """A context with one transaction, rolled back if the block raises.

        Connections stay open, as many as transactions ever ran at once: when the last one closes, SQLite writes its
        log back and waits for the disk, which takes longer than all the queries.
        Raises `StorageFull`, `NotStored`; `Unavailable` if the index is locked, or was damaged and is replaced.
        """
        file, connection = None, None
        try:
            file, connection = self._get_connection(write)
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            yield connection
            if connection.in_transaction:
                connection.execute("COMMIT")
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, (sqlite3.Error, OSError, UnicodeDecodeError)):
                raise self._as_problem(error, file) from error
            raise
        if file is None:
            connection.close()
        else:
            self._idle.append((file, connection))

    def truncate_log(self) -> bool:
        """Write the log back and empty it, because it still holds deleted data. False if other transactions run."""
        with suppress(sqlite3.Error, OSError, Problem):
            file, connection = self._get_connection(write=True)
            try:
                connection.execute(f"PRAGMA busy_timeout = {1000 * TRUNCATE_SECONDS:.0f}")
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                connection.execute(f"PRAGMA busy_timeout = {1000 * LOCK_SECONDS:.0f}")
            except sqlite3.Error:
                connection.close()
                return False
            if file is not None:
                self._idle.append((file, connection))
            return not busy
        return False

    def check(self) -> None:
        """Read the whole index, and replace it if it is damaged."""
        with suppress(Problem), self.transaction(write=False) as index:
            faults = index.execute("PRAGMA quick_check(1)").fetchone()[0]
            if faults != "ok":
                raise sqlite3.DatabaseError(str(faults))

    def _get_connection(self, write: bool) -> tuple[IndexFile | None, sqlite3.Connection]:
        """An idle connection, or a new one. Without a file if the index can only be read: then it is used once."""
        for _ in range(TRIES):
            file = self._current() or self._create()
            while self._idle:
                idle_file, connection = self._idle.pop()
                if idle_file == file:
                    return file, connection
                connection.close()
            try:
                return file, _open(file[0])
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if _is_damage(error):
                    self._discard(file)
                elif self._current() == file:
                    if write:
                        raise
                    return None, _open_to_read(file[0])
        raise Unavailable(REPLACED, retry_after=1)

    def _current(self) -> IndexFile | None:
        try:
            names = sorted(name for name in os.listdir(self._folder) if name.startswith("index"))
        except FileNotFoundError:
            return None
        for name in reversed(names):
            if name.endswith(".sqlite3"):
                with suppress(FileNotFoundError):
                    path = self._folder / name
                    return path, path.stat().st_ino
        return None

    def _create(self) -> IndexFile:
        """Create a new index file, unless another process has done so meanwhile."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            current = self._current()
            if current is None:
                for leftover in self._folder.glob("index*.sqlite3-*"):  # logs of a deleted index
                    leftover.unlink(missing_ok=True)
                path = self._folder / f"index-{secrets.token_hex(4)}.sqlite3"
                # by its handle: the file may be deleted from outside before its path is asked for
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                current = path, os.fstat(handle).st_ino
                os.close(handle)
        return current

    def _discard(self, damaged: IndexFile) -> None:
        """Delete a damaged index, unless another process has done so. Its content is lost; a clean-up deletes the
        blobs."""
        with self._locked():
            if self._current() == damaged:
                log.error("the store's index is damaged: a new one is begun, and what was stored is forgotten")
                for suffix in ("-wal", "-shm", ""):
                    Path(f"{damaged[0]}{suffix}").unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self._folder / "index.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _as_problem(self, error: Exception, file: IndexFile | None) -> Problem:
        """The problem for clients. Discards the index if it is damaged."""
        if isinstance(error, OSError):
            return as_write_problem(error)
        code = _code(error)
        damaged = _is_damage(error) or (file is not None and _lacks_columns(error, file[0]))
        if damaged and file is not None:
            with suppress(OSError):
                self._discard(file)
        if damaged or (file is not None and self._current() != file):
            return Unavailable(REPLACED, retry_after=1)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Unavailable("The store is busy. Try again in some seconds.", retry_after=2)
        log.error("the store's index cannot be used: %s", error)
        if code == sqlite3.SQLITE_FULL:
            return StorageFull(StorageFull.default_detail)
        return NotStored(NotStored.default_detail)


def as_write_problem(error: OSError) -> NotStored:
    """The problem for clients if a file cannot be written."""
    log.error("the store cannot be written: %s", error)
    return StorageFull(StorageFull.default_detail) if error.errno in FULL else NotStored(NotStored.default_detail)


def _open(path: Path) -> sqlite3.Connection:
    """A connection to the index at `path`; creates the tables if they are missing."""
    index = _connect(path, "mode=rw")  # creates no file: an index that was just deleted must not come back empty
    try:
        index.execute("PRAGMA foreign_keys = ON")
        index.execute("PRAGMA synchronous = NORMAL")
        index.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        if index.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            index.execute("PRAGMA journal_mode = WAL")
            index.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA:
                index.execute(statement)
            for table, column in ADDED:
                if column not in {column_info[1] for column_info in index.execute(f"PRAGMA table_info({table})")}:
                    index.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
            index.execute(f"PRAGMA user_version = {VERSION}")
            index.execute("COMMIT")
    except BaseException:
        index.close()
        raise
    return index


def _open_to_read(path: Path) -> sqlite3.Connection:
    """A connection for a folder where nothing can be written, not even SQLite's own files beside the index."""
    return _connect(path, "immutable=1")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    index = sqlite3.connect(
        f"file:{quote(str(path))}?{mode}", LOCK_SECONDS, isolation_level=None, check_same_thread=False, uri=True
    )
    index.text_factory = lambda data: data.decode("utf-8", "replace")  # one flipped bit does not lose the row
    return index


def _code(error: Exception) -> int:
    """SQLite's primary result code; 0 for other errors."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_damage(error: Exception) -> bool:
    """Whether an error means that the index is damaged: SQLite says so, or its message is not valid text."""
    if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or isinstance(error, UnicodeDecodeError):
        return True
    return type(error) is sqlite3.DatabaseError


def _lacks_columns(error: Exception, path: Path) -> bool:
    """Whether an error comes from a damaged schema in the index, not from the query."""
    if "no such" not in str(error):
        return False
    try:
        with closing(_connect(path, "mode=ro")) as index, closing(sqlite3.connect(":memory:")) as intact:
            for statement in SCHEMA:
                intact.execute(statement)
            return _columns(index) != _columns(intact)
    except sqlite3.Error:
        return True


def _columns(index: sqlite3.Connection) -> list[set[str]]:
    return [{column_info[1] for column_info in index.execute(f"PRAGMA table_info({table})")} for table in TABLES]


def _close_all(connections: list[tuple[IndexFile, sqlite3.Connection]]) -> None:
    while connections:
        with suppress(sqlite3.Error), closing(connections.pop()[1]):
            pass
