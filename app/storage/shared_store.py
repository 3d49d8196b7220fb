"""A store that several servers share, in a folder or a bucket: no database, no locks, no reference counts.

Each record owns its objects: `records/ID/owner`, which exists as long as the record does, `records/ID/record.json`,
and its blobs. `keys/KEY` points to a record that has the blob. A record that uses a blob makes its own copy and lets
the pointer lead there, so deleting one record takes nothing from another. A writer checks after writing whether the
record still exists, and a delete removes `owner` before it lists what to remove: so at least one of the two sees the
other, and a deleted record does not come back.

A record that is being computed, or measured, is pinned by an object `pin.NAME`: neither age, size nor a full disk
deletes it. Of the others, the oldest record of the owner who uses most goes first.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from ..contract.problems import NotFound, NotStored, Problem, StorageFull, Unavailable
from ..contract.wire import JsonObject
from .object_store import ObjectStore, StoredObject
from .store import PART_SECONDS, RUN, SECRET_BYTES, SPARE_BYTES, deleted_problem

log = logging.getLogger(__name__)
T = TypeVar("T")
SKEW_SECONDS = 60  # the clocks of two servers may differ by so much
TOMBSTONE_SECONDS = 86400  # how long a tombstone of a deleted record is kept: longer than any computation
TIDY_SECONDS = 3600  # between clean-ups of pointers and tombstones
USAGE_SECONDS = 30  # how long a count is used
NAME_LENGTH = 180  # of an object's name; file systems allow 255 bytes
MAX_POINTERS = 4096
OWNER, RECORD = "owner", "record.json"
PIN = "pin."  # and a name; names of blobs have no dot
DIGEST = 64  # hexadecimal digits of a hash or a key


class SharedStore:
    """The same interface as `Store`, for servers that share an object store.

    Each call raises `NotStored`, `StorageFull` or `Unavailable` if it fails.
    """

    sweep_seconds = 300.0  # long, because a sweep lists everything

    def __init__(self, objects: ObjectStore, max_bytes: int, max_age: float, deadline: float) -> None:
        self.max_bytes, self.max_age = max_bytes, max_age
        self._objects, self._deadline = objects, deadline
        self._tidied = 0.0
        self._known_pointers: dict[str, bytes] = {}  # read or written by this process; they may be outdated
        self._counted_usage: tuple[float, tuple[int, int]] | None = None
        self._pinned: set[str] = set()  # records that this process computes
        self._owners: dict[str, str] = {}  # of records, by folder
        self._just_attached = threading.local()  # the blob that this thread has just attached, for `read`

    def close(self) -> None:
        """Does nothing: nothing stays open."""

    @cached_property
    def _secret(self) -> bytes:
        for _ in range(2):
            (secret,) = self._objects.read("secret")
            if secret is not None:
                if len(secret) != SECRET_BYTES:
                    raise Unavailable("The store's secret is damaged; its operator deletes or restores it.")
                return secret
            self._objects.create("secret", secrets.token_bytes(SECRET_BYTES))
        raise NotStored(NotStored.default_detail)

    def key(self, *parts: object) -> str:
        """HMAC-SHA256 of everything that determines a blob, with the secret that all servers share."""
        message = json.dumps(parts, sort_keys=True, default=str).encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    def create(self, record: str, body: JsonObject, owner: str = "") -> None:
        """Create a record, or replace it. Raises `NotFound` if it was deleted meanwhile.

        A record with the status `running` is pinned until an update says otherwise.
        """
        owner_path, record_path = _path_of(record, OWNER), _path_of(record, RECORD)
        objects = {owner_path: json.dumps({"owner": owner}).encode(), record_path: _with_time(body)}
        if _is_running(body):
            objects |= {_pin_path(record, RUN): b""}
            self._pinned.add(record)

        def write() -> None:
            self._objects.write(objects)
            if self._objects.read(_tombstone(record)) != [None]:
                self._objects.remove(*objects)
                raise deleted_problem()

        self._write_with_room(record, 0, write)

    def update(self, record: str, body: JsonObject) -> None:
        """Replace a record. Raises `NotFound` if it was deleted meanwhile: a deleted record does not come back."""
        path = _path_of(record, RECORD)
        self._write_with_room(record, 0, lambda: self._objects.write({path: _with_time(body)}))
        self._require_record(record, path)
        if record in self._pinned and not _is_running(body):
            self.unpin(record, RUN)

    def pin(self, record: str) -> str:
        """Keep a record until it is unpinned, or for as long as computing may take. Returns the pin's name. Raises
        `NotFound`."""
        name = secrets.token_hex(8)
        path = _pin_path(record, name)
        self._write_with_room(record, 0, lambda: self._objects.write({path: b""}))
        self._require_record(record, path)
        return name

    def unpin(self, record: str, name: str) -> None:
        """Remove a pin."""
        if name == RUN:
            self._pinned.discard(record)
        self._objects.remove(_pin_path(record, name))

    def cancel_running(self, except_for: Collection[str]) -> int:
        """Does nothing: other servers may still compute their records. `load` detects abandoned ones by age."""
        return 0

    def load(self, record: str) -> JsonObject | None:
        """A record. A running one counts as cancelled if it was not written for longer than a request may take."""
        data, owner = self._objects.read(_path_of(record, RECORD), _path_of(record, OWNER))
        if data is None or owner is None:
            return None
        try:
            stored = json.loads(data)
            body, written = dict(stored["body"]), float(stored["written"])
        except (ValueError, KeyError, TypeError):
            log.warning("a stored record is damaged and is forgotten")
            self.forget(record)
            return None
        if body.get("status") == "running" and time.time() - written > self._deadline + SKEW_SECONDS:
            body["status"] = "cancelled"
        return body

    def owner(self, record: str) -> str | None:
        """The owner of a record; None if there is no such record."""
        (data,) = self._objects.read(_path_of(record, OWNER))
        return None if data is None else str(_parsed(data).get("owner", ""))

    def attach(self, record: str, name: str, key: str) -> JsonObject | None:
        """Copy the blob `key` of another record into `record`. Returns its meta, or None if it is missing or damaged.

        Five requests in four rounds: the pointer, the blob, the copy together with the pointer to it, and whether the
        record still exists. The first is saved if this process knows the pointer.
        """
        found = self._find_blob(key)
        if found is None:
            return None
        (source, pointer), blob = found
        target = _path_of(record, name)
        if source != target:
            packed, also = blob.packed(), {_pointer_path(key): _pointer_to(record, name)}
            self._write_with_room(record, len(packed), lambda: self._objects.share(target, source, packed, also))
        try:
            self._require_record(record, target)
        except NotFound:  # restore the pointer
            if source != target:
                self._objects.write({_pointer_path(key): pointer})
            raise
        self._remember_pointer(key, record, name)
        self._just_attached.blob = record, name, blob.data
        return blob.meta

    def put(self, record: str, name: str, key: str, data: bytes, meta: JsonObject) -> None:
        """Write a blob for `record`, atomically, and the pointer by which others find it."""
        target, packed = _path_of(record, name), Blob(key, meta, data).packed()
        objects = {target: packed, _pointer_path(key): _pointer_to(record, name)}
        self._write_with_room(record, len(packed), lambda: self._objects.write(objects))
        self._require_record(record, *objects)
        self._remember_pointer(key, record, name)

    def read(self, record: str, name: str) -> bytes | None:
        """The bytes that `record` has under `name`; None if there are none, or they are damaged."""
        attached = self._just_attached.__dict__.pop("blob", None)
        if attached and attached[:2] == (record, name):
            return bytes(attached[2])
        blob = self._read_intact(_path_of(record, name))
        return blob.data if blob else None

    def forget(self, record: str) -> bool:
        """Delete a record and its blobs. False if there is no such record."""
        self._just_attached.__dict__.clear()
        folder = _path_of(record)
        if self._objects.read(_path_of(record, OWNER)) == [None] and not self._objects.list_below(folder):
            return False
        with suppress(StorageFull):  # it matters only if another process is about to create the record again
            self._objects.write({_tombstone(record): b"{}"})
        self._remove(folder, pointers=True)
        return True

    def check(self) -> None:
        """Log it if the object store cannot be used."""
        with suppress(Problem):
            _ = self._secret

    def sweep(self) -> int:
        """Delete records beyond the age limit, then the oldest of whoever uses most until the size limit holds. Pinned
        ones stay. Returns how many went.

        Several servers may sweep at the same time.
        """
        now = self._objects.now()
        listing = _ObjectListing(self._objects.list_below("records"))
        for path in listing.unfinished(now - PART_SECONDS):
            self._objects.remove(path)
        removed = 0
        for folder, created in listing.oldest(now - self._deadline - SKEW_SECONDS):
            if created >= now - self.max_age:
                break
            self._remove(folder)
            listing.drop(folder)
            removed += 1
        for folder in self._to_delete(listing, listing.bytes - self.max_bytes, now):
            self._remove(folder)
            removed += 1
        if time.monotonic() - self._tidied > TIDY_SECONDS or not self._tidied:
            self._tidy(now)
        self._counted_usage = time.monotonic(), (listing.records, listing.bytes)
        return removed

    def usage(self) -> tuple[int, int]:
        """The number of records and the bytes of all blobs; counted again after half a minute."""
        if self._counted_usage is None or time.monotonic() - self._counted_usage[0] > USAGE_SECONDS:
            listing = _ObjectListing(self._objects.list_below("records"))
            self._counted_usage = time.monotonic(), (listing.records, listing.bytes)
        return self._counted_usage[1]

    def _require_record(self, record: str, *written: str) -> None:
        """Delete what was just written and raise `NotFound` if its record no longer exists."""
        if self._objects.read(_path_of(record, OWNER)) == [None]:
            self._objects.remove(*written)
            raise deleted_problem()

    def _find_blob(self, key: str) -> tuple[tuple[str, bytes], Blob] | None:
        """Find a blob by its key: its path, the pointer to it, and the blob."""
        for pointer in (self._known_pointers.pop(key, None), None):
            if pointer is None and (pointer := self._objects.read(_pointer_path(key))[0]) is None:
                return None
            target = _parsed(pointer)
            source = _path_of(str(target.get("record")), str(target.get("name")))
            blob = self._read_intact(source)
            if blob is not None and blob.key == key:
                return (source, pointer), blob
        return None

    def _remember_pointer(self, key: str, record: str, name: str) -> None:
        if len(self._known_pointers) >= MAX_POINTERS:
            self._known_pointers.clear()
        self._known_pointers[key] = _pointer_to(record, name)

    def _read_intact(self, path: str) -> Blob | None:
        """Read a blob; None if it is missing or damaged. A damaged one is deleted."""
        for _ in range(2):  # twice: it may just have been rewritten
            (packed,) = self._objects.read(path)
            if packed is None:
                return None
            if (blob := Blob.unpack(packed)) is not None:
                return blob
        log.warning("a stored file is damaged and is taken away")
        with suppress(Problem):
            self._objects.remove(path)
        return None

    def _remove(self, folder: str, pointers: bool = False) -> None:
        """Delete the record in `folder` with all its objects; with `pointers` also the pointers to its blobs."""
        self._counted_usage = None
        self._objects.remove(f"{folder}/{OWNER}")
        left = [item.path for item in self._objects.list_below(folder)]
        stale = self._pointers(folder, left) if pointers else []
        self._objects.remove(*left, *stale)

    def _pointers(self, folder: str, paths: list[str]) -> list[str]:
        """Paths of the pointers to blobs in `folder`. Pointers that lead elsewhere by now are kept."""
        with suppress(Problem):  # pointers that stay lead nowhere, and are deleted later because of their age
            blobs = [path for path in paths if not path.endswith((f"/{OWNER}", f"/{RECORD}"))]
            starts = self._objects.read_starts(blobs, 2 * DIGEST)
            keys = [start[DIGEST:].decode("latin-1") for start in starts if start]
            found = [_pointer_path(key) for key in keys if len(key) == DIGEST and key.isalnum()]
            contents = self._objects.read(*found) if found else []
            return [path for path, data in zip(found, contents, strict=True) if data and _folder_of(data) == folder]
        return []

    def _tidy(self, now: float) -> None:
        """Delete pointers that are older than any record can be, and old tombstones."""
        self._tidied = time.monotonic()
        old = [item.path for item in self._objects.list_below("keys") if item.modified < now - self.max_age]
        old += [item.path for item in self._objects.list_below("gone") if item.modified < now - TOMBSTONE_SECONDS]
        self._objects.remove(*old)

    def _write_with_room(self, record: str, size: int, write: Callable[[], T]) -> T:
        """Call `write`. If the disk is full, delete the oldest records other than `record` and try again."""
        try:
            return write()
        except StorageFull:
            if not self._make_room(_path_of(record), size + SPARE_BYTES):
                raise
        return write()

    def _make_room(self, keep: str, size: int) -> bool:
        listing = _ObjectListing(self._objects.list_below("records"))
        removed = 0
        for folder in self._to_delete(listing, size, self._objects.now(), keep):
            self._remove(folder)
            removed += 1
        if removed:
            log.warning("the disk is full: the oldest %d explanations are forgotten", removed)
        return bool(removed)

    def _to_delete(self, listing: _ObjectListing, size: int, now: float, keep: str = "") -> Iterator[str]:
        """Folders of records to delete, until `size` bytes are freed: again and again the oldest of the owner who uses
        most; neither `keep` nor pinned ones."""
        if size <= 0:
            return
        target_bytes = listing.bytes - size
        oldest: dict[str, deque[str]] = {}
        folders = [folder for folder, _ in listing.oldest(now - self._deadline - SKEW_SECONDS)]
        owners = self._owners_of([*folders, *listing.folders])
        for folder in folders:
            if folder != keep:
                oldest.setdefault(owners[folder], deque()).append(folder)
        used = Counter[str]()
        for folder in listing.folders:
            used[owners[folder]] += listing.size(folder)
        while listing.bytes > target_bytes and oldest:
            owner = max(oldest, key=lambda owner: used[owner])
            folder = oldest[owner].popleft()
            if not oldest[owner]:
                del oldest[owner]
            used[owner] -= listing.size(folder)
            listing.drop(folder)
            yield folder

    def _owners_of(self, folders: list[str]) -> dict[str, str]:
        """The owner of each record, which never changes: each is read once by this process."""
        unknown = [folder for folder in dict.fromkeys(folders) if folder not in self._owners]
        contents = self._objects.read(*(f"{folder}/{OWNER}" for folder in unknown)) if unknown else []
        owners = {f: str(_parsed(data or b"").get("owner", "")) for f, data in zip(unknown, contents, strict=True)}
        self._owners = {folder: owner for folder, owner in self._owners.items() if folder in folders} | owners
        return self._owners


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
        return cls(rest[:DIGEST].decode(), json.loads(meta), data)


class _ObjectListing:
    """A listing of all objects, grouped by the record's folder."""

    def __init__(self, items: list[StoredObject]) -> None:
        self._items: dict[str, list[StoredObject]] = {}
        self._parts = [item for item in items if item.path.endswith(".part")]
        for item in items:
            if not item.path.endswith(".part"):
                self._items.setdefault(item.path.rpartition("/")[0], []).append(item)
        blobs = [item for items in self._items.values() for item in items if _is_blob(item)]
        self._uses: Counter[Hashable] = Counter(item.file for item in blobs)
        self.bytes = sum({item.file: item.size for item in blobs}.values())

    @property
    def records(self) -> int:
        return len(self._items)

    @property
    def folders(self) -> list[str]:
        return list(self._items)

    def size(self, folder: str) -> int:
        """Bytes of the blobs in a folder, with those that it shares."""
        return sum({item.file: item.size for item in self._items[folder] if _is_blob(item)}.values())

    def oldest(self, pinned_since: float) -> list[tuple[str, float]]:
        """Folders of the records with their creation time, the oldest first; also of half-deleted records, but not of
        those with a pin that was written after `pinned_since`."""
        return sorted(
            (
                (folder, _creation_time(items))
                for folder, items in self._items.items()
                if not any(_is_pin(item) and item.modified > pinned_since for item in items)
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
            if _is_blob(item):
                self._uses[item.file] -= 1
                self.bytes -= 0 if self._uses[item.file] else item.size


def _is_blob(item: StoredObject) -> bool:
    return not item.path.endswith((f"/{OWNER}", f"/{RECORD}")) and not _is_pin(item)


def _is_pin(item: StoredObject) -> bool:
    return item.path.rpartition("/")[2].startswith(PIN)


def _is_running(body: JsonObject) -> bool:
    return body.get("status") == "running"


def _creation_time(items: list[StoredObject]) -> float:
    """When a record was created: its `owner` object is written once, at the start."""
    return next((item.modified for item in items if item.path.endswith(f"/{OWNER}")), items[0].modified)


def _with_time(body: JsonObject) -> bytes:
    return json.dumps({"written": time.time(), "body": body}).encode()


def _parsed(data: bytes) -> JsonObject:
    """A JSON object; an empty one if the bytes are damaged."""
    try:
        return dict(json.loads(data))
    except (ValueError, TypeError):
        return {}


def _pointer_to(record: str, name: str) -> bytes:
    """The content of a pointer to a blob."""
    return json.dumps({"record": record, "name": name}).encode()


def _folder_of(pointer: bytes) -> str:
    return _path_of(str(_parsed(pointer).get("record")))


def _path_of(record: str, *name: str) -> str:
    """The path of a record's folder, or of an object in it."""
    return "/".join(["records", *(part if part in (OWNER, RECORD) else _safe_name(part) for part in (record, *name))])


def _safe_name(text: str) -> str:
    """A name without slashes and dots, whatever a client has sent."""
    name = quote(text, safe="").replace(".", "%2E")
    return name if 0 < len(name) <= NAME_LENGTH else f"%{hashlib.sha256(text.encode()).hexdigest()}"


def _pointer_path(key: str) -> str:
    return f"keys/{key[:2]}/{key}"


def _pin_path(record: str, name: str) -> str:
    return f"{_path_of(record)}/{PIN}{name}"


def _tombstone(record: str) -> str:
    """The path of the tombstone of a deleted record. It holds a hash instead of the record's id, which is a secret."""
    return f"gone/{hashlib.sha256(record.encode()).hexdigest()}"
