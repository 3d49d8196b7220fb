"""Where the objects of a shared store lie and what is in them, and a listing of them all. What is pinned or
deleted is decided in shared_store.py."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Hashable
from typing import NamedTuple
from urllib.parse import quote

from ..contract.wire import JsonObject
from .object_store import StoredObject

NAME_LENGTH = 180  # of an object's name; file systems allow 255 bytes
OWNER, RECORD = "owner", "record.json"
PIN = "pin."  # and a name; names of blobs have no dot
DIGEST = 64  # hexadecimal digits of a hash or a key


class Blob(NamedTuple):
    """Bytes with their meta and key, stored in one object together with a hash of all three."""

    key: str
    meta: JsonObject
    data: bytes

    def packed(self) -> bytes:
        rest = self.key.encode() + json.dumps(self.meta).encode() + b"\n" + self.data
        return hashlib.sha256(rest).hexdigest().encode() + rest

    @classmethod
    def unpack(cls, packed: bytes) -> Blob | None:
        """The blob; None if it is damaged."""
        digest, rest = packed[:DIGEST], packed[DIGEST:]
        if hashlib.sha256(rest).hexdigest().encode() != digest:
            return None
        meta, _, data = rest[DIGEST:].partition(b"\n")
        try:
            return cls(rest[:DIGEST].decode(), json.loads(meta), data)
        except (ValueError, RecursionError):  # somebody else wrote it
            return None


class ObjectListing:
    """A listing of all objects, grouped by the record's folder."""

    def __init__(self, items: list[StoredObject]) -> None:
        self._items: dict[str, list[StoredObject]] = {}
        self._parts = [item for item in items if item.path.endswith(".part")]
        for item in items:
            if not item.path.endswith(".part"):
                self._items.setdefault(item.path.rpartition("/")[0], []).append(item)
        blobs = [item for items in self._items.values() for item in items if is_blob(item)]
        self._uses: Counter[Hashable] = Counter(item.content_id for item in blobs)
        self.bytes = sum({item.content_id: item.size for item in blobs}.values())

    @property
    def records(self) -> int:
        return len(self._items)

    @property
    def folders(self) -> list[str]:
        return list(self._items)

    def size(self, folder: str) -> int:
        """Bytes of the blobs in a folder, also of those that other folders share with it."""
        return sum({item.content_id: item.size for item in self._items[folder] if is_blob(item)}.values())

    def oldest(self, pinned_since: float) -> list[tuple[str, float]]:
        """Folders of the records with their creation time, the oldest first; also of half-deleted records, but not of
        those with a pin that was written after `pinned_since`."""
        return sorted(
            (
                (folder, creation_time(items))
                for folder, items in self._items.items()
                if not any(is_pin(item) and item.modified > pinned_since for item in items)
            ),
            key=lambda pair: pair[1],
        )

    def unfinished(self, before: float) -> list[str]:
        """Paths of unfinished files, and of what is left of deleted records."""
        paths = [item.path for item in self._parts if item.modified < before]
        for items in self._items.values():
            has_owner = any(item.path.endswith(f"/{OWNER}") for item in items)
            if not has_owner and max(item.modified for item in items) < before:
                paths += [item.path for item in items]
        return paths

    def drop(self, folder: str) -> None:
        for item in self._items.pop(folder):
            if is_blob(item):
                self._uses[item.content_id] -= 1
                self.bytes -= 0 if self._uses[item.content_id] else item.size


def is_blob(item: StoredObject) -> bool:
    return not item.path.endswith((f"/{OWNER}", f"/{RECORD}")) and not is_pin(item)


def is_pin(item: StoredObject) -> bool:
    return item.path.rpartition("/")[2].startswith(PIN)


def creation_time(items: list[StoredObject]) -> float:
    """When a record was created: its `owner` object is written once, at the start."""
    return next((item.modified for item in items if item.path.endswith(f"/{OWNER}")), items[0].modified)


def with_time(body: JsonObject) -> bytes:
    return json.dumps({"written": time.time(), "body": body}).encode()


def parsed_json(data: bytes) -> JsonObject:
    """A JSON object; an empty one if the bytes are damaged."""
    try:
        return dict(json.loads(data))
    except (ValueError, TypeError, RecursionError):
        return {}


def pointer_to(record: str, name: str) -> bytes:
    """The content of a pointer to a blob."""
    return json.dumps({"record": record, "name": name}).encode()


def folder_of(pointer: bytes) -> str:
    return path_of(str(parsed_json(pointer).get("record")))


def path_of(record: str, *name: str) -> str:
    """The path of a record's folder, or of an object in it."""
    return "/".join(["records", *(part if part in (OWNER, RECORD) else safe_name(part) for part in (record, *name))])


def safe_name(text: str) -> str:
    """A name without slashes and dots, whatever a client has sent."""
    name = quote(text, safe="").replace(".", "%2E")
    return name if 0 < len(name) <= NAME_LENGTH else f"%{hashlib.sha256(text.encode()).hexdigest()}"


def pointer_path(key: str) -> str:
    return f"keys/{key[:2]}/{key}"


def pin_path(record: str, name: str) -> str:
    return f"{path_of(record)}/{PIN}{name}"


def tombstone_path(record: str) -> str:
    """The path of the tombstone of a deleted record. It holds a hash instead of the record's id, which is a secret."""
    return f"gone/{hashlib.sha256(record.encode()).hexdigest()}"
