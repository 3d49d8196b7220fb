"""A store that many servers share, in a folder or a bucket: no database, no locks, no counts of uses.

Each record owns its objects: `records/ID/owner`, which says that it lives, `records/ID/record.json`, and its blobs.
`keys/KEY` points at a record that has the blob; whoever finds one there takes a copy of its own and points at that, so
that forgetting takes nothing from anybody. Who writes looks afterwards whether the record lives still, and who forgets
ends its life before it lists what there is to remove: of the two at least one sees the other, and nothing comes back.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from ..contract.problems import NotFound, NotStored, Problem, StorageFull, Unavailable
from ..contract.wire import JsonObject
from .object_store import ObjectStore, StoredObject
from .store import PART_SECONDS, SECRET_BYTES, SPARE, forgotten

log = logging.getLogger(__name__)
T = TypeVar("T")
SKEW_SECONDS = 60  # by which the clocks of two servers may differ
GONE_SECONDS = 86400  # for which it is known that a record was forgotten: longer than anybody computes one
TIDY_SECONDS = 3600  # between looks at pointers and at what is known of forgotten records
USAGE_SECONDS = 30  # for which a count holds
NAME_LENGTH = 180  # of an object's name; file systems take 255 bytes
KNOWN = 4096  # pointers
OWNER, RECORD = "owner", "record.json"
DIGEST = 64  # hexadecimal digits of a hash, and of a key


class SharedStore:
    """What `Store` does, for servers that share a place. Each call raises `NotStored`, `StorageFull`, `Unavailable`."""

    sweep_seconds = 300.0  # a sweep lists everything

    def __init__(self, place: ObjectStore, max_bytes: int, max_age: float, deadline: float) -> None:
        self.max_bytes, self.max_age = max_bytes, max_age
        self._place, self._deadline = place, deadline
        self._tidied = 0.0
        self._known: dict[str, bytes] = {}  # pointers that this process has met: they may have changed since
        self._counted: tuple[float, tuple[int, int]] | None = None
        self._attached = threading.local()  # what this thread has just read while it was attached

    def close(self) -> None:
        """Nothing is open."""

    @cached_property
    def _secret(self) -> bytes:
        for _ in range(2):
            (secret,) = self._place.read("secret")
            if secret is not None:
                if len(secret) != SECRET_BYTES:
                    raise Unavailable("The store's secret is damaged; its operator deletes or restores it.")
                return secret
            self._place.create("secret", secrets.token_bytes(SECRET_BYTES))
        raise NotStored(NotStored.said)

    def key(self, *parts: object) -> str:
        """HMAC-SHA256, with the secret that all servers share, of all that determines a blob."""
        message = json.dumps(parts, sort_keys=True, default=str).encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    def create(self, record: str, body: JsonObject, owner: str = "") -> None:
        """Begin a record, or begin it again. Raises `NotFound` where it was forgotten meanwhile."""
        lives, told = _at(record, OWNER), _at(record, RECORD)

        def write() -> None:
            self._place.write({lives: json.dumps({"owner": owner}).encode(), told: _dated(body)})
            if self._place.read(_gone(record)) != [None]:
                self._place.remove(lives, told)
                raise forgotten()

        self._fitting(record, 0, write)

    def update(self, record: str, body: JsonObject) -> None:
        """Replace a record. Raises `NotFound` where it was forgotten meanwhile: what is deleted does not come back."""
        path = _at(record, RECORD)
        self._fitting(record, 0, lambda: self._place.write({path: _dated(body)}))
        self._require(record, path)

    def end_all(self, but: Collection[str]) -> int:
        """None: what other servers compute runs on. What nobody computes any more is found out by its age."""
        return 0

    def load(self, record: str) -> JsonObject | None:
        """A record; one that runs and was not written for longer than a request may take was cancelled."""
        data, lives = self._place.read(_at(record, RECORD), _at(record, OWNER))
        if data is None or lives is None:
            return None
        try:
            told = json.loads(data)
            body, written = dict(told["body"]), float(told["written"])
        except (ValueError, KeyError, TypeError):
            log.warning("a stored record is damaged and is forgotten")
            self.forget(record)
            return None
        if body.get("status") == "running" and time.time() - written > self._deadline + SKEW_SECONDS:
            body["status"] = "cancelled"
        return body

    def owner(self, record: str) -> str | None:
        """Whose a record is; None where there is none."""
        (data,) = self._place.read(_at(record, OWNER))
        return None if data is None else str(_parsed(data).get("owner", ""))

    def attach(self, record: str, name: str, key: str) -> JsonObject | None:
        """Let `record` have the blob `key` of another record too; its meta, or None where it is not there or damaged.

        Five requests in four turns: the pointer, the blob, the copy together with the pointer to it, whether the record
        lives. Where this process has met the key before, the first is spared.
        """
        found = self._find(key)
        if found is None:
            return None
        (source, pointer), blob = found
        target = _at(record, name)
        if source != target:
            packed, also = blob.packed(), {_pointer(key): _lead(record, name)}
            self._fitting(record, len(packed), lambda: self._place.share(target, source, packed, also))
        try:
            self._require(record, target)
        except NotFound:  # the key leads where it led before
            if source != target:
                self._place.write({_pointer(key): pointer})
            raise
        self._learn(key, record, name)
        self._attached.blob = record, name, blob.data
        return blob.meta

    def put(self, record: str, name: str, key: str, data: bytes, meta: JsonObject) -> None:
        """Write a blob, whole, for `record`, and let others find it."""
        target, packed = _at(record, name), Blob(key, meta, data).packed()
        objects = {target: packed, _pointer(key): _lead(record, name)}
        self._fitting(record, len(packed), lambda: self._place.write(objects))
        self._require(record, *objects)
        self._learn(key, record, name)

    def read(self, record: str, name: str) -> bytes | None:
        """The bytes that `record` has under `name`; None where there is nothing, or it is damaged."""
        attached = self._attached.__dict__.pop("blob", None)
        if attached and attached[:2] == (record, name):
            return bytes(attached[2])
        blob = self._sound(_at(record, name))
        return blob.data if blob else None

    def forget(self, record: str) -> bool:
        """Remove a record and its blobs. False where there was none."""
        self._attached.__dict__.clear()
        folder = _at(record)
        if self._place.read(_at(record, OWNER)) == [None] and not self._place.below(folder):
            return False
        with suppress(StorageFull):  # of use only where somebody else is about to begin it again
            self._place.write({_gone(record): b"{}"})
        self._remove(folder, pointers=True)
        return True

    def check(self) -> None:
        """Say in the log where the place cannot be used."""
        with suppress(Problem):
            _ = self._secret

    def sweep(self) -> int:
        """Forget records beyond the age, then the oldest until the size holds. Returns how many went.

        Servers may do so at the same time: what one has removed is gone for the other.
        """
        now = self._place.now()
        census = _ObjectListing(self._place.below("records"))
        for path in census.unfinished(now - PART_SECONDS):
            self._place.remove(path)
        gone = 0
        for folder, created in census.oldest():
            if created >= now - self.max_age and census.bytes <= self.max_bytes:
                break
            self._remove(folder)
            census.drop(folder)
            gone += 1
        if time.monotonic() - self._tidied > TIDY_SECONDS or not self._tidied:
            self._tidy(now)
        self._counted = time.monotonic(), (census.records, census.bytes)
        return gone

    def usage(self) -> tuple[int, int]:
        """How many records there are, and the bytes of all blobs; counted anew after half a minute."""
        if self._counted is None or time.monotonic() - self._counted[0] > USAGE_SECONDS:
            census = _ObjectListing(self._place.below("records"))
            self._counted = time.monotonic(), (census.records, census.bytes)
        return self._counted[1]

    def _require(self, record: str, *written: str) -> None:
        """Take away what was just written where its record lives no more."""
        if self._place.read(_at(record, OWNER)) == [None]:
            self._place.remove(*written)
            raise forgotten()

    def _find(self, key: str) -> tuple[tuple[str, bytes], Blob] | None:
        """Where a blob is, the pointer that leads there, and the blob."""
        for pointer in (self._known.pop(key, None), None):
            if pointer is None and (pointer := self._place.read(_pointer(key))[0]) is None:
                return None
            about = _parsed(pointer)
            source = _at(str(about.get("record")), str(about.get("name")))
            blob = self._sound(source)
            if blob is not None and blob.key == key:
                return (source, pointer), blob
        return None

    def _learn(self, key: str, record: str, name: str) -> None:
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[key] = _lead(record, name)

    def _sound(self, path: str) -> Blob | None:
        """A blob; None where it is not there, or is not what was written: then it is taken away."""
        for _ in range(2):  # looked at again: it may just have been written anew
            (packed,) = self._place.read(path)
            if packed is None:
                return None
            if (blob := Blob.unpack(packed)) is not None:
                return blob
        log.warning("a stored file is damaged and is taken away")
        with suppress(Problem):
            self._place.remove(path)
        return None

    def _remove(self, folder: str, pointers: bool = False) -> None:
        """End the life of the record in `folder`, then remove all that it has; its pointers too where that is asked."""
        self._counted = None
        self._place.remove(f"{folder}/{OWNER}")
        left = [item.path for item in self._place.below(folder)]
        stale = self._pointers(folder, left) if pointers else []
        self._place.remove(*left, *stale)

    def _pointers(self, folder: str, paths: list[str]) -> list[str]:
        """Pointers at blobs in `folder`. One that has just been given another direction is worth a computation."""
        with suppress(Problem):  # they lead nowhere, and are swept by their age
            blobs = [path for path in paths if not path.endswith((f"/{OWNER}", f"/{RECORD}"))]
            starts = self._place.starts(blobs, 2 * DIGEST)
            keys = [start[DIGEST:].decode("latin-1") for start in starts if start]
            found = [_pointer(key) for key in keys if len(key) == DIGEST and key.isalnum()]
            told = self._place.read(*found) if found else []
            return [path for path, data in zip(found, told, strict=True) if data and _folder(data) == folder]
        return []

    def _tidy(self, now: float) -> None:
        """Take away pointers at what is older than records become, and what is known of forgotten ones for long."""
        self._tidied = time.monotonic()
        old = [item.path for item in self._place.below("keys") if item.modified < now - self.max_age]
        old += [item.path for item in self._place.below("gone") if item.modified < now - GONE_SECONDS]
        self._place.remove(*old)

    def _fitting(self, record: str, size: int, write: Callable[[], T]) -> T:
        """`write`; where the disk is full, the oldest explanations other than `record` make room for it first."""
        try:
            return write()
        except StorageFull:
            if not self._make_room(_at(record), size + SPARE):
                raise
        return write()

    def _make_room(self, beside: str, size: int) -> bool:
        census = _ObjectListing(self._place.below("records"))
        gone, wanted = 0, census.bytes - size
        for folder, _ in census.oldest():
            if census.bytes <= wanted:
                break
            if folder != beside:
                self._remove(folder)
                census.drop(folder)
                gone += 1
        if gone:
            log.warning("the disk is full: the oldest %d explanations are forgotten", gone)
        return bool(gone)


class Blob(NamedTuple):
    """Bytes, what is known of them, and the key under which they are found; in one object, with their hash."""

    key: str
    meta: JsonObject
    data: bytes

    def packed(self) -> bytes:
        rest = self.key.encode() + json.dumps(self.meta).encode() + b"\n" + self.data
        return hashlib.sha256(rest).hexdigest().encode() + rest

    @classmethod
    def unpack(cls, packed: bytes) -> Blob | None:
        """None where it is damaged."""
        digest, rest = packed[:DIGEST], packed[DIGEST:]
        if hashlib.sha256(rest).hexdigest().encode() != digest:
            return None
        meta, _, data = rest[DIGEST:].partition(b"\n")
        return cls(rest[:DIGEST].decode(), json.loads(meta), data)


class _ObjectListing:
    """What there is of each record, by the folder that it has, from a listing."""

    def __init__(self, items: list[StoredObject]) -> None:
        self._items: dict[str, list[StoredObject]] = {}
        self._parts = [item for item in items if item.path.endswith(".part")]
        for item in items:
            if not item.path.endswith(".part"):
                self._items.setdefault(item.path.rpartition("/")[0], []).append(item)
        blobs = [item for mine in self._items.values() for item in mine if _is_blob(item)]
        self._uses: Counter[Hashable] = Counter(item.file for item in blobs)
        self.bytes = sum({item.file: item.size for item in blobs}.values())

    @property
    def records(self) -> int:
        return len(self._items)

    def oldest(self) -> list[tuple[str, float]]:
        """Records and when they began, the oldest first. One that lives no more is swept as if it were one."""
        return sorted(((folder, _began(mine)) for folder, mine in self._items.items()), key=lambda pair: pair[1])

    def unfinished(self, before: float) -> list[str]:
        """Files that a process has left unfinished, and what was left of records that live no more."""
        paths = [item.path for item in self._parts if item.modified < before]
        for mine in self._items.values():
            lives = any(item.path.endswith(f"/{OWNER}") for item in mine)
            if not lives and max(item.modified for item in mine) < before:
                paths += [item.path for item in mine]
        return paths

    def drop(self, folder: str) -> None:
        for item in self._items.pop(folder):
            if _is_blob(item):
                self._uses[item.file] -= 1
                self.bytes -= 0 if self._uses[item.file] else item.size


def _is_blob(item: StoredObject) -> bool:
    return not item.path.endswith((f"/{OWNER}", f"/{RECORD}"))


def _began(items: list[StoredObject]) -> float:
    """What says that a record lives is written once, when it begins."""
    return next((item.modified for item in items if item.path.endswith(f"/{OWNER}")), items[0].modified)


def _dated(body: JsonObject) -> bytes:
    return json.dumps({"written": time.time(), "body": body}).encode()


def _parsed(data: bytes) -> JsonObject:
    """An object of JSON; an empty one where it is damaged."""
    try:
        return dict(json.loads(data))
    except (ValueError, TypeError):
        return {}


def _lead(record: str, name: str) -> bytes:
    """A pointer: what leads from a key to a blob."""
    return json.dumps({"record": record, "name": name}).encode()


def _folder(pointer: bytes) -> str:
    return _at(str(_parsed(pointer).get("record")))


def _at(record: str, *name: str) -> str:
    """Where a record is kept, or an object of its own."""
    return "/".join(["records", *(part if part in (OWNER, RECORD) else _safe(part) for part in (record, *name))])


def _safe(text: str) -> str:
    """A name without slashes and dots, whatever a client has put into it."""
    name = quote(text, safe="").replace(".", "%2E")
    return name if 0 < len(name) <= NAME_LENGTH else f"%{hashlib.sha256(text.encode()).hexdigest()}"


def _pointer(key: str) -> str:
    return f"keys/{key[:2]}/{key}"


def _gone(record: str) -> str:
    """Where it is known that a record was forgotten; its id, by which it was found, is not told there."""
    return f"gone/{hashlib.sha256(record.encode()).hexdigest()}"
