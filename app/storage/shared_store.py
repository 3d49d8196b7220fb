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
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import cached_property
from typing import TypeVar

from ..contract.problems import NotFound, NotStored, Problem, StorageFull, Unavailable
from ..contract.wire import JsonObject
from .object_layout import (
    DIGEST,
    OWNER,
    RECORD,
    Blob,
    ObjectListing,
    folder_of,
    parsed_json,
    path_of,
    pin_path,
    pointer_path,
    pointer_to,
    tombstone_path,
    with_time,
)
from .object_store import ObjectStore
from .store import PART_SECONDS, RUN, SECRET_BYTES, SPARE_BYTES, deleted_problem

log = logging.getLogger(__name__)
T = TypeVar("T")
SKEW_SECONDS = 60  # the clocks of two servers may differ by so much
TOMBSTONE_SECONDS = 86400  # how long a tombstone of a deleted record is kept: longer than any computation
TIDY_SECONDS = 3600  # between clean-ups of pointers and tombstones
USAGE_SECONDS = 30  # how long a count is used
MAX_POINTERS = 4096


class SharedStore:
    """The same interface as `Store`, for servers that share an object store.

    `deadline` is how many seconds a request may take. Each call raises `NotStored`, `StorageFull` or `Unavailable` if
    it fails.
    """

    clean_up_seconds = 300.0  # long, because a clean-up lists everything

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
        owner_path, record_path = path_of(record, OWNER), path_of(record, RECORD)
        objects = {owner_path: json.dumps({"owner": owner}).encode(), record_path: with_time(body)}
        if _is_running(body):
            objects |= {pin_path(record, RUN): b""}  # the pin of the computation
            self._pinned.add(record)

        def write() -> None:
            self._objects.write(objects)
            if self._objects.read(tombstone_path(record)) != [None]:
                self._objects.remove(*objects)
                raise deleted_problem()

        self._write_with_room(record, 0, write)

    def update(self, record: str, body: JsonObject) -> None:
        """Replace a record. Raises `NotFound` if it was deleted meanwhile: a deleted record does not come back."""
        path = path_of(record, RECORD)
        self._write_with_room(record, 0, lambda: self._objects.write({path: with_time(body)}))
        self._require_record(record, path)
        if record in self._pinned and not _is_running(body):
            self.unpin(record, RUN)

    def pin(self, record: str) -> str:
        """Keep a record until it is unpinned, or for as long as computing may take. Returns the pin's name. Raises
        `NotFound`."""
        name = secrets.token_hex(8)
        path = pin_path(record, name)
        self._write_with_room(record, 0, lambda: self._objects.write({path: b""}))
        self._require_record(record, path)
        return name

    def unpin(self, record: str, name: str) -> None:
        """Remove a pin."""
        if name == RUN:
            self._pinned.discard(record)
        self._objects.remove(pin_path(record, name))

    def cancel_running(self, except_for: Collection[str]) -> int:
        """Does nothing: other servers may still compute their records. `load` detects abandoned ones by age."""
        return 0

    def load(self, record: str) -> JsonObject | None:
        """A record. A running one counts as cancelled if it was not written for longer than a request may take."""
        data, owner = self._objects.read(path_of(record, RECORD), path_of(record, OWNER))
        if data is None or owner is None:
            return None
        try:
            stored = json.loads(data)
            body, written = dict(stored["body"]), float(stored["written"])
        except (ValueError, KeyError, TypeError, RecursionError):
            log.warning("a stored record is damaged and is forgotten")
            self.forget(record)
            return None
        if body.get("status") == "running" and time.time() - written > self._deadline + SKEW_SECONDS:
            body["status"] = "cancelled"
        return body

    def owner(self, record: str) -> str | None:
        """The owner of a record; None if there is no such record."""
        (data,) = self._objects.read(path_of(record, OWNER))
        return None if data is None else str(parsed_json(data).get("owner", ""))

    def attach(self, record: str, name: str, key: str) -> JsonObject | None:
        """Copy the blob `key` of another record into `record`. Returns its meta, or None if it is missing or damaged.

        Five requests in four rounds: the pointer, the blob, the copy together with the pointer to it, and whether the
        record still exists. The first is left out if this process knows the pointer.
        """
        found = self._find_blob(key)
        if found is None:
            return None
        (source, pointer), blob = found
        target = path_of(record, name)
        if source != target:
            packed, also = blob.packed(), {pointer_path(key): pointer_to(record, name)}
            self._write_with_room(record, len(packed), lambda: self._objects.share(target, source, packed, also))
        try:
            self._require_record(record, target)
        except NotFound:  # restore the pointer
            if source != target:
                self._objects.write({pointer_path(key): pointer})
            raise
        self._remember_pointer(key, record, name)
        self._just_attached.blob = record, name, blob.data
        return blob.meta

    def put(self, record: str, name: str, key: str, data: bytes, meta: JsonObject) -> None:
        """Write a blob for `record`, atomically, and the pointer by which others find it."""
        target, packed = path_of(record, name), Blob(key, meta, data).packed()
        objects = {target: packed, pointer_path(key): pointer_to(record, name)}
        self._write_with_room(record, len(packed), lambda: self._objects.write(objects))
        self._require_record(record, *objects)
        self._remember_pointer(key, record, name)

    def read(self, record: str, name: str) -> bytes | None:
        """The bytes that `record` has under `name`; None if there are none, or they are damaged."""
        attached = self._just_attached.__dict__.pop("blob", None)
        if attached and attached[:2] == (record, name):
            return bytes(attached[2])
        blob = self._read_intact(path_of(record, name))
        return blob.data if blob else None

    def forget(self, record: str) -> bool:
        """Delete a record and its blobs. False if there is no such record."""
        self._just_attached.__dict__.clear()
        folder = path_of(record)
        if self._objects.read(path_of(record, OWNER)) == [None] and not self._objects.list_below(folder):
            return False
        with suppress(StorageFull):  # it matters only if another process is about to create the record again
            self._objects.write({tombstone_path(record): b"{}"})
        self._remove(folder, pointers=True)
        return True

    def check(self) -> None:
        """Log it if the object store cannot be used."""
        with suppress(Problem):
            _ = self._secret

    def clean_up(self) -> int:
        """Delete records beyond the age limit, then the oldest of whoever uses most until the size limit holds. Pinned
        ones stay. Returns how many went.

        Several servers may clean up at the same time.
        """
        now = self._objects.now()
        listing = ObjectListing(self._objects.list_below("records"))
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
            listing = ObjectListing(self._objects.list_below("records"))
            self._counted_usage = time.monotonic(), (listing.records, listing.bytes)
        return self._counted_usage[1]

    def _require_record(self, record: str, *written: str) -> None:
        """Delete what was just written and raise `NotFound` if its record no longer exists."""
        if self._objects.read(path_of(record, OWNER)) == [None]:
            self._objects.remove(*written)
            raise deleted_problem()

    def _find_blob(self, key: str) -> tuple[tuple[str, bytes], Blob] | None:
        """Find a blob by its key: its path, the pointer to it, and the blob."""
        for pointer in (self._known_pointers.pop(key, None), None):
            if pointer is None and (pointer := self._objects.read(pointer_path(key))[0]) is None:
                return None
            target = parsed_json(pointer)
            source = path_of(str(target.get("record")), str(target.get("name")))
            blob = self._read_intact(source)
            if blob is not None and blob.key == key:
                return (source, pointer), blob
        return None

    def _remember_pointer(self, key: str, record: str, name: str) -> None:
        if len(self._known_pointers) >= MAX_POINTERS:
            self._known_pointers.clear()
        self._known_pointers[key] = pointer_to(record, name)

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
        remaining = [item.path for item in self._objects.list_below(folder)]
        stale = self._pointers(folder, remaining) if pointers else []
        self._objects.remove(*remaining, *stale)

    def _pointers(self, folder: str, paths: list[str]) -> list[str]:
        """Paths of the pointers to blobs in `folder`. Pointers that lead elsewhere by now are kept."""
        with suppress(Problem):  # pointers that stay lead nowhere, and are deleted later because of their age
            blobs = [path for path in paths if not path.endswith((f"/{OWNER}", f"/{RECORD}"))]
            starts = self._objects.read_starts(blobs, 2 * DIGEST)
            keys = [start[DIGEST:].decode("latin-1") for start in starts if start]
            found = [pointer_path(key) for key in keys if len(key) == DIGEST and key.isalnum()]
            contents = self._objects.read(*found) if found else []
            return [path for path, data in zip(found, contents, strict=True) if data and folder_of(data) == folder]
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
            if not self._make_room(path_of(record), size + SPARE_BYTES):
                raise
        return write()

    def _make_room(self, keep: str, size: int) -> bool:
        listing = ObjectListing(self._objects.list_below("records"))
        removed = 0
        for folder in self._to_delete(listing, size, self._objects.now(), keep):
            self._remove(folder)
            removed += 1
        if removed:
            log.warning("the disk is full: the oldest %d explanations are forgotten", removed)
        return bool(removed)

    def _to_delete(self, listing: ObjectListing, size: int, now: float, keep: str = "") -> Iterator[str]:
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
        owners = {f: str(parsed_json(data or b"").get("owner", "")) for f, data in zip(unknown, contents, strict=True)}
        self._owners = {folder: owner for folder, owner in self._owners.items() if folder in folders} | owners
        return self._owners


def _is_running(body: JsonObject) -> bool:
    return body.get("status") == "running"
