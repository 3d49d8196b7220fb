"""Content-addressed store: pictures and panels under keyed hashes, counted by the explanations that use them.

Files hold the bytes, an SQLite index says who uses what. Web process and worker both open it; each change is one
transaction, and a file is put in place or removed only inside one, so that a new use and a removal cannot race.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import NotFound

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS record (
    id TEXT PRIMARY KEY, created REAL NOT NULL, body TEXT NOT NULL, owner TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS blob (key TEXT PRIMARY KEY, bytes INTEGER NOT NULL, meta TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS uses (
    record TEXT NOT NULL REFERENCES record (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    key TEXT NOT NULL REFERENCES blob (key),
    PRIMARY KEY (record, name)
);
CREATE INDEX IF NOT EXISTS uses_by_key ON uses (key);
"""


class Store:
    """Records by id, and the blobs that they use by name (`source`, `image`, `input:MODEL`, `panel:ID`)."""

    def __init__(self, folder: Path, max_bytes: int, max_age: float) -> None:
        self.folder, self.max_bytes, self.max_age = folder, max_bytes, max_age
        (folder / "blobs").mkdir(parents=True, exist_ok=True, mode=0o700)
        self._secret = _read_secret(folder / "secret")
        self._idle: list[sqlite3.Connection] = []
        weakref.finalize(self, _close_all, self._idle)
        with self._transaction() as index:
            index.executescript(SCHEMA)
            if "owner" not in {column[1] for column in index.execute("PRAGMA table_info(record)")}:
                index.execute("ALTER TABLE record ADD COLUMN owner TEXT NOT NULL DEFAULT ''")

    def close(self) -> None:
        """Let go of the index. A later call opens it again."""
        _close_all(self._idle)

    def key(self, *parts: object) -> str:
        """HMAC-SHA256, with the server's secret, of all that determines a blob: ids cannot be guessed from content."""
        message = json.dumps(parts, sort_keys=True, default=str).encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    def create(self, record: str, body: dict[str, Any], owner: str = "") -> None:
        """Begin a record, or begin it again. `owner` is the name of the API key that asked, where keys are on."""
        with self._transaction() as index:
            index.execute(
                "INSERT OR REPLACE INTO record (id, created, body, owner) VALUES (?, ?, ?, ?)",
                (record, time.time(), json.dumps(body), owner),
            )

    def update(self, record: str, body: dict[str, Any]) -> None:
        """Replace a record. Raises `NotFound` where it was forgotten meanwhile: what is deleted does not come back."""
        with self._transaction() as index:
            if not index.execute("UPDATE record SET body = ? WHERE id = ?", (json.dumps(body), record)).rowcount:
                raise _forgotten()

    def load(self, record: str) -> dict[str, Any] | None:
        with self._transaction(write=False) as index:
            row = index.execute("SELECT body FROM record WHERE id = ?", (record,)).fetchone()
        return json.loads(row[0]) if row else None

    def owner(self, record: str) -> str | None:
        """Whose a record is; None where there is none."""
        with self._transaction(write=False) as index:
            row = index.execute("SELECT owner FROM record WHERE id = ?", (record,)).fetchone()
        return row[0] if row else None

    def attach(self, record: str, name: str, key: str) -> dict[str, Any] | None:
        """Let `record` use the blob `key`; its meta, or None where it is not there."""
        with self._transaction() as index:
            row = index.execute("SELECT meta FROM blob WHERE key = ?", (key,)).fetchone()
            if row is None or not self._path(key).is_file():
                return None
            _use(index, record, name, key)
        return json.loads(row[0])  # type: ignore[no-any-return]

    def put(self, record: str, name: str, key: str, data: bytes, meta: dict[str, Any]) -> None:
        """Write a blob, atomically, and let `record` use it."""
        path = self._path(key)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        part.write_bytes(data)
        try:
            with self._transaction() as index:
                index.execute(
                    "INSERT INTO blob VALUES (?, ?, ?) "
                    "ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes, meta = excluded.meta",
                    (key, len(data), json.dumps(meta)),
                )
                _use(index, record, name, key)
                os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    def read(self, record: str, name: str) -> bytes | None:
        """The bytes of what `record` uses under `name`."""
        with self._transaction(write=False) as index:
            row = index.execute("SELECT key FROM uses WHERE record = ? AND name = ?", (record, name)).fetchone()
        try:
            return self._path(row[0]).read_bytes() if row else None
        except FileNotFoundError:
            return None

    def forget(self, record: str) -> bool:
        """Remove a record, and every blob that no other record uses. False where there was none."""
        with self._transaction() as index:
            gone = index.execute("DELETE FROM record WHERE id = ?", (record,)).rowcount
            self._drop_unused(index)
        return bool(gone)

    def sweep(self) -> int:
        """Forget records beyond the age, then the oldest until the size holds. Returns how many went."""
        with self._transaction() as index:
            gone = index.execute("DELETE FROM record WHERE created < ?", (time.time() - self.max_age,)).rowcount
            self._drop_unused(index)
            while self._bytes(index) > self.max_bytes:
                oldest = "SELECT id FROM record ORDER BY created LIMIT 1"
                if not index.execute(f"DELETE FROM record WHERE id = ({oldest})").rowcount:
                    break
                gone += 1
                self._drop_unused(index)
        return gone

    def usage(self) -> tuple[int, int]:
        """How many records there are, and the bytes of all blobs."""
        with self._transaction(write=False) as index:
            return int(index.execute("SELECT COUNT(*) FROM record").fetchone()[0]), self._bytes(index)

    def _drop_unused(self, index: sqlite3.Connection) -> None:
        unused = index.execute("SELECT key FROM blob WHERE key NOT IN (SELECT key FROM uses)").fetchall()
        for (key,) in unused:
            self._path(key).unlink(missing_ok=True)
            index.execute("DELETE FROM blob WHERE key = ?", (key,))

    @staticmethod
    def _bytes(index: sqlite3.Connection) -> int:
        return int(index.execute("SELECT COALESCE(SUM(bytes), 0) FROM blob").fetchone()[0])

    def _path(self, key: str) -> Path:
        return self.folder / "blobs" / key[:2] / key

    @contextmanager
    def _transaction(self, write: bool = True) -> Iterator[sqlite3.Connection]:
        """Within: one transaction, rolled back where it raises.

        Connections stay open, as many as there ever were transactions at once: when an index is closed for the last
        time SQLite writes its log back and waits for the disk, which takes longer than all that is asked of it.
        """
        try:
            index = self._idle.pop()
        except IndexError:
            index = self._open()
        try:
            index.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            yield index
            if index.in_transaction:
                index.execute("COMMIT")
        except BaseException:
            index.close()
            raise
        self._idle.append(index)

    def _open(self) -> sqlite3.Connection:
        index = sqlite3.connect(
            self.folder / "index.sqlite3", timeout=30, isolation_level=None, check_same_thread=False
        )
        index.execute("PRAGMA foreign_keys = ON")
        index.execute("PRAGMA synchronous = NORMAL")
        return index


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


def _use(index: sqlite3.Connection, record: str, name: str, key: str) -> None:
    try:
        index.execute("INSERT OR REPLACE INTO uses VALUES (?, ?, ?)", (record, name, key))
    except sqlite3.IntegrityError as error:
        raise _forgotten() from error


def _forgotten() -> NotFound:
    return NotFound("This explanation was deleted while it was being computed.")


def _read_secret(path: Path) -> bytes:
    """The server's secret, made at first use; it appears whole or not at all, and only once."""
    if not path.exists():
        part = path.with_name(f"secret.{secrets.token_hex(4)}.part")
        part.touch(mode=0o600)
        part.write_bytes(secrets.token_bytes(32))
        try:
            os.link(part, path)
        except FileExistsError:
            pass  # another process was quicker: its secret counts
        finally:
            part.unlink()
    return path.read_bytes()
