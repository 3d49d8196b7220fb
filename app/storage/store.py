"""Content-addressed store: pictures and panels under keyed hashes, kept as long as an explanation uses them.

Files hold the bytes; an SQLite index says which record uses which blob. Web process and worker both open it. Each
change is one transaction, and files are written or deleted only inside one, so that a new use and a removal cannot
race. A damaged file is deleted, and its content is computed again.

A record that is being computed, or measured, is pinned: neither age, size nor a full disk deletes it. If the store is
too large, the oldest record of the owner who uses most goes first, so that one API key cannot push out all others. A
runner is a process that computes; what it has pinned may be released once it is dead.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from ..contract.problems import NotFound, StorageFull
from ..contract.wire import JsonObject
from .clock import now, now_and_save
from .index import Index, as_write_problem
from .runner import Runner, is_alive

log = logging.getLogger(__name__)
T = TypeVar("T")
PART_SECONDS = 3600  # after which an unfinished file is deleted
SPARE_BYTES = 4 * 2**20  # made free in addition to what is needed, if the disk is full
SECRET_BYTES = 32
DEADLINE = 600.0  # seconds that computing takes at most
PIN_SECONDS = 60.0  # how much longer a record stays pinned if nobody ends it
RUN = "run"  # the name of the pin while the explanation itself is computed


class Store:
    """Records by id, and the blobs that they use by name: `source` (the picture as it was sent), `image` (the scaled
    PNG), `input:MODEL`, `panel:ID`.

    Each call raises `NotStored` if the folder cannot be written, `StorageFull` if its disk is full and deleting the
    oldest explanations did not help, `Unavailable` if the index is locked or was damaged.
    """

    clean_up_seconds = 60.0

    def __init__(self, folder: Path, max_bytes: int, max_age: float, deadline: float = DEADLINE) -> None:
        self.folder, self.max_bytes, self.max_age = folder, max_bytes, max_age
        self._pin_seconds = deadline + PIN_SECONDS
        self._index = Index(folder)
        self._needs_truncation = False  # whether the index's log still holds deleted data
        with suppress(OSError):  # if the folder cannot be made, the first write reports it
            (folder / "blobs").mkdir(parents=True, exist_ok=True, mode=0o700)

    def close(self) -> None:
        """Close the index, and give up what is pinned. A later call opens it again."""
        self._index.close()
        if (runner := self.__dict__.pop("_runner", None)) is not None:
            runner.close()

    @cached_property
    def _secret(self) -> bytes:
        try:
            return _read_secret(self.folder / "secret")
        except OSError as error:
            raise as_write_problem(error) from error

    @cached_property
    def _runner(self) -> Runner:
        try:
            return Runner(self.folder)
        except OSError as error:
            raise as_write_problem(error) from error

    def key(self, *parts: object) -> str:
        """A blob's name, not to be guessed from content: HMAC-SHA256 of all that determines it, with our secret."""
        message = json.dumps(parts, sort_keys=True, default=str).encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    def create(self, record: str, body: JsonObject, owner: str = "") -> None:
        """Create a record, or replace it. `owner` is the name of the client's API key, if keys are on.

        A record with the status `running` is pinned until an update says otherwise.
        """

        def write() -> None:
            with self._index.transaction() as index:
                index.execute(
                    "INSERT OR REPLACE INTO record (id, created, body, owner) VALUES (?, ?, ?, ?)",
                    (record, now(index), json.dumps(body), owner),
                )
                if _is_running(body):
                    self._pin(index, record, RUN)

        self._write_with_room(record, 0, write)

    def update(self, record: str, body: JsonObject) -> None:
        """Replace a record. Raises `NotFound` if it was deleted meanwhile: a deleted record does not come back."""

        def write() -> None:
            with self._index.transaction() as index:
                if not index.execute("UPDATE record SET body = ? WHERE id = ?", (json.dumps(body), record)).rowcount:
                    raise deleted_problem()
                if not _is_running(body):
                    _unpin(index, record, RUN)

        self._write_with_room(record, 0, write)

    def pin(self, record: str) -> str:
        """Keep a record until it is unpinned, or for as long as computing may take. Returns the pin's name. Raises
        `NotFound`."""
        name = secrets.token_hex(8)

        def write() -> None:
            with self._index.transaction() as index:
                self._pin(index, record, name)

        self._write_with_room(record, 0, write)
        return name

    def unpin(self, record: str, name: str) -> None:
        """Remove a pin."""
        with self._index.transaction() as index:
            _unpin(index, record, name)

    def _pin(self, index: sqlite3.Connection, record: str, name: str) -> None:
        until = now(index) + self._pin_seconds
        try:
            index.execute("INSERT OR REPLACE INTO pin VALUES (?, ?, ?, ?)", (record, name, self._runner.name, until))
        except sqlite3.IntegrityError as error:
            raise deleted_problem() from error

    def cancel_running(self, except_for: Collection[str]) -> int:
        """Set the status of all running records, other than `except_for` and those of other living processes, to
        cancelled: nobody computes them any more. Returns how many there were.
        """
        status = "CASE WHEN json_valid(body) THEN json_extract(body, '$.status') END"
        with self._index.transaction() as index:
            own = runner.name if (runner := self.__dict__.get("_runner")) is not None else ""
            names = [name for (name,) in index.execute("SELECT DISTINCT runner FROM pin")]
            alive = json.dumps([name for name in names if name != own and is_alive(self.folder, str(name))])
            kept = json.dumps(list(except_for))
            index.execute(
                "DELETE FROM pin WHERE runner NOT IN (SELECT value FROM json_each(?)) "
                "AND record NOT IN (SELECT value FROM json_each(?))",
                (alive, kept),
            )
            return index.execute(
                f"UPDATE record SET body = json_set(body, '$.status', 'cancelled') WHERE {status} = 'running' "
                "AND id NOT IN (SELECT value FROM json_each(?)) AND id NOT IN (SELECT record FROM pin WHERE name = ?)",
                (kept, RUN),
            ).rowcount

    def load(self, record: str) -> JsonObject | None:
        with self._index.transaction(write=False) as index:
            row = index.execute("SELECT body FROM record WHERE id = ?", (record,)).fetchone()
        try:
            return json.loads(row[0]) if row else None
        except (ValueError, RecursionError):
            log.warning("a stored record is damaged and is forgotten")
            self.forget(record)
            return None

    def owner(self, record: str) -> str | None:
        """The owner of a record; None if there is no such record."""
        with self._index.transaction(write=False) as index:
            row = index.execute("SELECT owner FROM record WHERE id = ?", (record,)).fetchone()
        return row[0] if row else None

    def attach(self, record: str, name: str, key: str) -> JsonObject | None:
        """Let `record` use the blob `key`. Returns its meta, or None if it is missing or damaged."""
        if self._read_intact(key) is None:
            return None
        with self._index.transaction() as index:
            row = index.execute("SELECT meta FROM blob WHERE key = ?", (key,)).fetchone()
            if row is None or not self._path(key).is_file():
                return None
            _add_use(index, record, name, key)
        try:
            return json.loads(row[0])  # type: ignore[no-any-return]
        except (ValueError, RecursionError):  # damaged
            return None

    def put(self, record: str, name: str, key: str, data: bytes, meta: JsonObject) -> None:
        """Write a blob, atomically, and let `record` use it. `meta` is JSON that the index keeps with it."""
        self._write_with_room(record, len(data), lambda: self._put(record, name, key, data, meta))

    def _put(self, record: str, name: str, key: str, data: bytes, meta: JsonObject) -> None:
        path = self._path(key)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_bytes(data)
            with self._index.transaction() as index:
                index.execute(
                    "INSERT INTO blob (key, bytes, meta, digest) VALUES (?, ?, ?, ?) ON CONFLICT (key) "
                    "DO UPDATE SET bytes = excluded.bytes, meta = excluded.meta, digest = excluded.digest",
                    (key, len(data), json.dumps(meta), _digest(data)),
                )
                _add_use(index, record, name, key)
                os.replace(part, path)
        except OSError as error:
            raise as_write_problem(error) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def read(self, record: str, name: str) -> bytes | None:
        """The bytes of the blob that `record` uses under `name`; None if there is none, or it is damaged."""
        with self._index.transaction(write=False) as index:
            row = index.execute("SELECT key FROM uses WHERE record = ? AND name = ?", (record, name)).fetchone()
        return self._read_intact(row[0]) if row else None

    def forget(self, record: str) -> bool:
        """Delete a record, and every blob that no other record uses. False if there is no such record."""
        with self._index.transaction() as index:
            removed = index.execute("DELETE FROM record WHERE id = ?", (record,)).rowcount
            self._drop_unused(index)
        self._needs_truncation = not self._index.truncate_log()
        return bool(removed)

    def check(self) -> None:
        """Read the whole index, and replace it if it is damaged."""
        self._index.check()

    def clean_up(self) -> int:
        """Delete records beyond the age limit, then the oldest of whoever uses most until the size limit holds. Pinned
        ones stay. Returns how many went."""
        self._drop_orphans()
        with self._index.transaction() as index:
            seconds = now_and_save(index)
            # a record from the future, left by a clock that was wrong, begins to age now
            index.execute("UPDATE record SET created = ? WHERE created > ?", (seconds, seconds))
            index.execute("DELETE FROM pin WHERE until < ?", (seconds,))
            removed = index.execute(
                "DELETE FROM record WHERE created < ? AND id NOT IN (SELECT record FROM pin)",
                (seconds - self.max_age,),
            ).rowcount
            self._drop_unused(index)
            if self._bytes(index) > self.max_bytes:
                used = self._bytes_by_owner(index)
                while self._bytes(index) > self.max_bytes and self._drop_oldest(index, used) is not None:
                    removed += 1
        if removed or self._needs_truncation:
            self._needs_truncation = not self._index.truncate_log()
        return removed

    def usage(self) -> tuple[int, int]:
        """The number of records and the bytes of all blobs."""
        with self._index.transaction(write=False) as index:
            return int(index.execute("SELECT COUNT(*) FROM record").fetchone()[0]), self._bytes(index)

    def _write_with_room(self, record: str, size: int, write: Callable[[], T]) -> T:
        """Call `write`. If the disk is full, delete old records other than `record` and the pinned ones, and try
        again."""
        try:
            return write()
        except StorageFull:
            if not self._make_room(record, size + SPARE_BYTES):
                raise
        return write()

    def _make_room(self, record: str, size: int) -> bool:
        removed, freed = 0, 0
        with self._index.transaction() as index:
            used = self._bytes_by_owner(index)
            while freed < size and (more := self._drop_oldest(index, used, record)) is not None:
                removed += 1
                freed += more
        if removed:
            log.warning("the disk is full: the oldest %d explanations are forgotten", removed)
        return bool(removed)

    def _drop_oldest(self, index: sqlite3.Connection, used: dict[str, int], keep: str = "") -> int | None:
        """Delete the oldest record, other than `keep` and the pinned ones, of the owner who uses most. `used` is each
        owner's bytes, and is updated. Returns the bytes freed, None if there is no such record."""
        oldest = (
            "SELECT id FROM record WHERE owner = ? AND id != ? AND id NOT IN (SELECT record FROM pin WHERE until > ?) "
            "ORDER BY created LIMIT 1"
        )
        seconds = now(index)
        for owner in sorted(used, key=lambda owner: used[owner], reverse=True):
            if index.execute(f"DELETE FROM record WHERE id = ({oldest})", (owner, keep, seconds)).rowcount:
                freed = self._drop_unused(index)
                used[owner] -= freed
                return freed
        return None

    @staticmethod
    def _bytes_by_owner(index: sqlite3.Connection) -> dict[str, int]:
        """The bytes of the blobs that each owner's records use."""
        used = {owner: 0 for (owner,) in index.execute("SELECT DISTINCT owner FROM record")}
        sizes = index.execute(
            "SELECT DISTINCT record.owner, blob.key, blob.bytes FROM uses JOIN record ON record.id = uses.record "
            "JOIN blob ON blob.key = uses.key"
        )
        for owner, _, size in sizes:
            used[owner] += size if isinstance(size, int) else 0  # else it is damaged
        return used

    def _drop_unused(self, index: sqlite3.Connection) -> int:
        unused = index.execute("SELECT key, bytes FROM blob WHERE key NOT IN (SELECT key FROM uses)").fetchall()
        for key, _ in unused:
            self._path(key).unlink(missing_ok=True)
            index.execute("DELETE FROM blob WHERE key = ?", (key,))
        return sum(size for _, size in unused if isinstance(size, int))  # else it is damaged

    def _drop_orphans(self) -> None:
        """Delete files that the index does not know: left by a process that died, or by an index that was lost."""
        with self._index.transaction(write=False) as index:
            known = {key for (key,) in index.execute("SELECT key FROM blob")}
        for path in (self.folder / "blobs").glob("*/*"):
            if path.suffix == ".part":
                with suppress(FileNotFoundError):
                    if abs(time.time() - path.stat().st_mtime) > PART_SECONDS:
                        path.unlink()
            elif path.name not in known:
                with self._index.transaction() as index:
                    if index.execute("SELECT 1 FROM blob WHERE key = ?", (path.name,)).fetchone() is None:
                        path.unlink(missing_ok=True)

    def _read_intact(self, key: str) -> bytes | None:
        """The bytes of a blob; None if it is missing or damaged. A damaged file is deleted."""
        with self._index.transaction(write=False) as index:
            data = self._read_if_intact(index, key)
        if data is None and self._path(key).exists():
            with self._index.transaction() as index:  # read again: it may just have been rewritten
                data = self._read_if_intact(index, key)
                if data is None:
                    log.warning("a stored file is damaged and is taken away")
                    with suppress(OSError):
                        self._path(key).unlink()
        return data

    def _read_if_intact(self, index: sqlite3.Connection, key: str) -> bytes | None:
        row = index.execute("SELECT bytes, digest FROM blob WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        try:
            data = self._path(key).read_bytes()
        except OSError:
            return None
        size, digest = row
        return data if len(data) == size and digest in ("", _digest(data)) else None  # "": from an older version

    @staticmethod
    def _bytes(index: sqlite3.Connection) -> int:
        return int(index.execute("SELECT COALESCE(SUM(bytes), 0) FROM blob").fetchone()[0])

    def _path(self, key: str) -> Path:
        """The path of a blob. A key changed by damage leads to no file, and never out of the folder."""
        name = key if isinstance(key, str) and key.isascii() and key.isalnum() else _digest(repr(key).encode())
        return self.folder / "blobs" / name[:2] / name


def _is_running(body: JsonObject) -> bool:
    return body.get("status") == "running"


def _unpin(index: sqlite3.Connection, record: str, name: str) -> None:
    index.execute("DELETE FROM pin WHERE record = ? AND name = ?", (record, name))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _add_use(index: sqlite3.Connection, record: str, name: str, key: str) -> None:
    try:
        index.execute("INSERT OR REPLACE INTO uses VALUES (?, ?, ?)", (record, name, key))
    except sqlite3.IntegrityError as error:
        raise deleted_problem() from error


def deleted_problem() -> NotFound:
    """The problem for a run whose record was deleted meanwhile."""
    return NotFound("This explanation was deleted while it was being computed.")


def _read_secret(path: Path) -> bytes:
    """The server's secret. Created at first use, atomically and only once."""
    if path.exists() and path.stat().st_size < SECRET_BYTES:  # lost by the disk: no stored blob can be found any more
        log.warning("the store's secret is damaged: a new one is made")
        path.unlink()
    if not path.exists():
        part = path.with_name(f"secret.{secrets.token_hex(4)}.part")
        part.touch(mode=0o600)
        part.write_bytes(secrets.token_bytes(SECRET_BYTES))
        try:
            os.link(part, path)
        except FileExistsError:
            pass  # another process was quicker: use its secret
        finally:
            part.unlink()
    return path.read_bytes()
