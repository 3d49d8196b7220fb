"""What the tests of a damaged, full or locked store put into it, and where its files are."""

from __future__ import annotations

from pathlib import Path

from gradoscope.storage.store import Store

MAGIC = b"this-is-what-the-picture-shows"


def blobs(store: Store) -> list[Path]:
    return [path for path in (store.folder / "blobs").rglob("*") if path.is_file()]


def index_file(store: Store) -> Path:
    (path,) = store.folder.glob("index*.sqlite3")
    return path


def keep(store: Store, record: str, data: bytes = MAGIC, name: str = "source") -> None:
    store.create(record, {"label": f"label of {record}"})
    store.put(record, name, store.key(data.decode("latin-1")), data, {"n": 1})
