"""The store's index: an SQLite file that both processes open, and what becomes of it when disks fail.

A damaged index is begun anew; so is one that somebody has deleted. A new one has a new name: SQLite, when it closes the
old one, removes files by their names.
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
VERSION = 2
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
    clock.SCHEMA,
)
TABLES = ("record", "blob", "uses", "clock")
ADDED = (("record", "owner"), ("blob", "digest"))  # columns that an index of an older version has not
LOCK_SECONDS = 5.0  # for which a locked index is waited for
TIDY_SECONDS = 1.0
TRIES = 3
ANEW = "The server's store was lost or damaged, and is begun anew. Try again."
FULL = (errno.ENOSPC, errno.EDQUOT)
Place = tuple[Path, int]  # a file and its inode: one that was put in its place is another


class Index:
    """Transactions on the index in `folder`. Raises problems where it cannot be read or written now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: list[tuple[Place, sqlite3.Connection]] = []
        weakref.finalize(self, _close_all, self._idle)

    def close(self) -> None:
        """Let go of it. A later call opens it again."""
        _close_all(self._idle)

    @contextmanager
    def transaction(self, write: bool = True) -> Iterator[sqlite3.Connection]:
        """Within: one transaction, rolled back where it raises.

        Connections stay open, as many as there ever were transactions at once: when an index is closed for the last
        time SQLite writes its log back and waits for the disk, which takes longer than all that is asked of it.
        Raises `StorageFull`, `NotStored`; `Unavailable` where it is locked, or was damaged and is begun anew.
        """
        place, connection = None, None
        try:
            place, connection = self._take(write)
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            yield connection
            if connection.in_transaction:
                connection.execute("COMMIT")
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, (sqlite3.Error, OSError, UnicodeDecodeError)):
                raise self._problem(error, place) from error
            raise
        if place is None:
            connection.close()
        else:
            self._idle.append((place, connection))

    def tidy(self) -> bool:
        """Write the log back and empty it: what was deleted is in it still. False where others are at work."""
        with suppress(sqlite3.Error, OSError, Problem):
            place, connection = self._take(write=True)
            try:
                connection.execute(f"PRAGMA busy_timeout = {1000 * TIDY_SECONDS:.0f}")
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                connection.execute(f"PRAGMA busy_timeout = {1000 * LOCK_SECONDS:.0f}")
            except sqlite3.Error:
                connection.close()
                return False
            if place is not None:
                self._idle.append((place, connection))
            return not busy
        return False

    def check(self) -> None:
        """Read all of it, and begin anew where it is damaged."""
        with suppress(Problem), self.transaction(write=False) as index:
            faults = index.execute("PRAGMA quick_check(1)").fetchone()[0]
            if faults != "ok":
                raise sqlite3.DatabaseError(str(faults))

    def _take(self, write: bool) -> tuple[Place | None, sqlite3.Connection]:
        """A connection that was left open, or a new one; without a place where it is for reading, once."""
        for _ in range(TRIES):
            place = self._current() or self._create()
            while self._idle:
                known, connection = self._idle.pop()
                if known == place:
                    return place, connection
                connection.close()
            try:
                return place, _open(place[0])
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if _damaged(error):
                    self._discard(place)
                elif self._current() == place:
                    if write:
                        raise
                    return None, _open_to_read(place[0])
        raise Unavailable(ANEW, retry_after=1)

    def _current(self) -> Place | None:
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

    def _create(self) -> Place:
        """A new one, where another process has not been quicker."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            current = self._current()
            if current is None:
                for left in self._folder.glob("index*.sqlite3-*"):  # logs of one that somebody has deleted
                    left.unlink(missing_ok=True)
                path = self._folder / f"index-{secrets.token_hex(4)}.sqlite3"
                path.touch(mode=0o600)
                current = path, path.stat().st_ino
        return current

    def _discard(self, damaged: Place) -> None:
        """Take a damaged index away, where another process has not. What it held is lost; the files go at a sweep."""
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

    def _problem(self, error: Exception, place: Place | None) -> Problem:
        """What clients are told of it. A damaged index is discarded."""
        if isinstance(error, OSError):
            return stored_problem(error)
        code = _code(error)
        damaged = _damaged(error) or (place is not None and _lacks_columns(error, place[0]))
        if damaged and place is not None:
            with suppress(OSError):
                self._discard(place)
        if damaged or (place is not None and self._current() != place):
            return Unavailable(ANEW, retry_after=1)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Unavailable("The store is busy. Try again in some seconds.", retry_after=2)
        log.error("the store's index cannot be used: %s", error)
        if code == sqlite3.SQLITE_FULL:
            return StorageFull(StorageFull.said)
        return NotStored(NotStored.said)


def stored_problem(error: OSError) -> NotStored:
    """What clients are told where a file cannot be written."""
    log.error("the store cannot be written: %s", error)
    return StorageFull(StorageFull.said) if error.errno in FULL else NotStored(NotStored.said)


def _open(path: Path) -> sqlite3.Connection:
    """A connection to the index at `path`, which has its tables."""
    index = _connect(path, "mode=rw")  # which creates none: one that has just been deleted does not come back empty
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
                if column not in {about[1] for about in index.execute(f"PRAGMA table_info({table})")}:
                    index.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
            index.execute(f"PRAGMA user_version = {VERSION}")
            index.execute("COMMIT")
    except BaseException:
        index.close()
        raise
    return index


def _open_to_read(path: Path) -> sqlite3.Connection:
    """A connection where nothing can be written, not even SQLite's own files beside the index."""
    return _connect(path, "immutable=1")


def _connect(path: Path, how: str) -> sqlite3.Connection:
    index = sqlite3.connect(
        f"file:{quote(str(path))}?{how}", LOCK_SECONDS, isolation_level=None, check_same_thread=False, uri=True
    )
    index.text_factory = lambda data: data.decode("utf-8", "replace")  # a flipped bit need not be the end
    return index


def _code(error: Exception) -> int:
    """The primary result code; 0 where it is no error of SQLite's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _damaged(error: Exception) -> bool:
    """SQLite says so; or what it says of it holds bytes that are no text."""
    if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or isinstance(error, UnicodeDecodeError):
        return True
    return type(error) is sqlite3.DatabaseError


def _lacks_columns(error: Exception, path: Path) -> bool:
    """Whether an error comes of damage to what the index says of its tables, not of what it was asked."""
    if "no such" not in str(error):
        return False
    try:
        with closing(_connect(path, "mode=ro")) as index, closing(sqlite3.connect(":memory:")) as sound:
            for statement in SCHEMA:
                sound.execute(statement)
            return _columns(index) != _columns(sound)
    except sqlite3.Error:
        return True


def _columns(index: sqlite3.Connection) -> list[set[str]]:
    return [{about[1] for about in index.execute(f"PRAGMA table_info({table})")} for table in TABLES]


def _close_all(connections: list[tuple[Place, sqlite3.Connection]]) -> None:
    while connections:
        with suppress(sqlite3.Error), closing(connections.pop()[1]):
            pass
