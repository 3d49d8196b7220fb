"""What both kinds of store do: blobs under keys, deletion, age, size, many at once; and the SQLite index of one."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from datetime import UTC, datetime

import pytest
from gradoscope.contract.problems import NotFound
from gradoscope.storage import clock
from gradoscope.storage.object_layout import OWNER, RECORD
from gradoscope.storage.object_store import FsspecObjectStore, LocalObjectStore
from gradoscope.storage.shared_store import SharedStore
from gradoscope.storage.store import Store


@pytest.fixture
def indexed(tmp_path):
    return Store(tmp_path / "store", max_bytes=10_000, max_age=3600)


@pytest.fixture(params=["index", "folder", "objects"])
def opened(request, tmp_path):
    """Opens a store of one kind: every time the same one, with another `name` another one."""

    def open(name="store", max_bytes=10_000, max_age=3600):
        if request.param == "index":
            return Store(tmp_path / name, max_bytes, max_age)
        place = (
            LocalObjectStore(tmp_path / name)
            if request.param == "folder"
            else FsspecObjectStore(f"memory://{tmp_path}/{name}")
        )
        return SharedStore(place, max_bytes, max_age, deadline=60)

    return open


@pytest.fixture
def store(opened):
    return opened()


def files(store):
    """The blobs of all records; those that share their bytes count once."""
    if isinstance(store, Store):
        return [path for path in (store.folder / "blobs").rglob("*") if path.is_file()]
    items = store._objects.list_below("records")
    return sorted({item.content_id: item.path for item in items if not item.path.endswith((OWNER, RECORD))}.values())


def lose(store):
    """Deletes the only blob, behind the store's back."""
    (path,) = files(store)
    if isinstance(store, Store):
        path.unlink()
    else:
        store._objects.remove(path)


def wait(monkeypatch, store, seconds):
    """Lets time pass: both clocks go forward; in a shared store the times of all files go back instead."""
    if not isinstance(store, Store):
        for item in store._objects.list_below(""):
            age(store._objects, item.path, item.modified - seconds)
        return
    for name in ("_uptime", "_wall"):
        real = getattr(clock, name)
        monkeypatch.setattr(clock, name, lambda real=real: real() + seconds)


def age(place, path, when):
    if isinstance(place, LocalObjectStore):
        os.utime(place._root / path, (when, when))
    else:
        place._files.store[f"{place._root}/{path}"].created = datetime.fromtimestamp(when, UTC)


def keep(store, record, name, data):
    key = store.key(data.decode())
    if store.attach(record, name, key) is None:
        store.put(record, name, key, data, {"length": len(data)})


def test_a_record_and_its_blobs_come_back(store):
    store.create("r", {"a": 1})
    keep(store, "r", "panel:p1", b"values")
    assert store.load("r") == {"a": 1}
    assert store.read("r", "panel:p1") == b"values"
    assert store.attach("r", "panel:p2", store.key("values")) == {"length": 6}
    assert store.load("unknown") is None
    assert store.read("r", "panel:p9") is None


def test_a_blob_goes_with_its_last_record(store):
    for record in ("one", "two"):
        store.create(record, {})
        keep(store, record, "source", b"same picture")
    copies = isinstance(getattr(store, "_objects", None), FsspecObjectStore)
    assert len(files(store)) == (2 if copies else 1)
    assert store.forget("one")
    assert store.read("two", "source") == b"same picture"
    assert store.forget("two")
    assert files(store) == []
    assert not store.forget("two")


def test_what_is_deleted_while_it_is_made_does_not_come_back(store):
    store.create("r", {})
    store.forget("r")
    with pytest.raises(NotFound):
        store.update("r", {"done": True})
    with pytest.raises(NotFound):
        store.put("r", "panel:p1", store.key("x"), b"x", {})
    assert store.load("r") is None
    store.clean_up()
    assert files(store) == []


def test_keys_need_the_secret(opened):
    one, two = (opened(name) for name in ("one", "two"))
    assert one.key("cat") == one.key("cat")
    assert one.key("cat") != two.key("cat")
    assert one.key("cat") != one.key("dog")
    assert opened("one").key("cat") == one.key("cat")


def test_the_oldest_go_until_the_size_holds(store):
    for number in range(5):
        store.create(f"r{number}", {})
        keep(store, f"r{number}", "source", bytes([65 + number]) * 3000)
    assert store.clean_up() == 2
    assert [store.load(f"r{number}") is not None for number in range(5)] == [False, False, True, True, True]
    assert len(files(store)) == 3


def test_what_is_being_computed_is_never_deleted_to_make_room(store):
    """A record that runs, and one that is measured: neither a clean-up nor a full disk takes it, however old it is."""
    store.create("runs", {"status": "running"})
    store.create("measured", {"status": "done"})
    for record in ("runs", "measured"):
        keep(store, record, "source", record.encode() * 1000)
    pin = store.pin("measured")
    for number in range(3):
        store.create(f"r{number}", {"status": "done"})
        keep(store, f"r{number}", "source", bytes([65 + number]) * 3000)
    assert store.clean_up() == 3
    assert not store._make_room("new", 10**6)
    assert store.load("runs") == {"status": "running"}
    assert store.load("measured") == {"status": "done"}
    store.update("runs", {"status": "running", "panels": []})
    assert not store._make_room("new", 10**6)
    store.update("runs", {"status": "done"})
    store.unpin("measured", pin)
    assert store.clean_up() == 1
    assert store.load("runs") is None
    assert store._make_room("new", 10**6)
    assert store.load("measured") is None
    with pytest.raises(NotFound):
        store.pin("measured")


def test_a_pin_ends_by_itself(opened, monkeypatch):
    """Its process was killed, and no other one started on this store."""
    store = opened(max_bytes=100, max_age=10**6)
    store.create("runs", {"status": "running"})
    keep(store, "runs", "source", b"x" * 1000)
    assert store.clean_up() == 0
    wait(monkeypatch, store, 10_000)
    assert store.clean_up() == 1


def test_the_owner_who_uses_most_loses_records_first(store):
    """One key cannot push out what others have kept, though theirs is older."""
    for number in range(2):
        store.create(f"ann{number}", {}, "ann")
        keep(store, f"ann{number}", "source", bytes([65 + number]) * 1500)
    for number in range(8):
        store.create(f"bob{number}", {}, "bob")
        keep(store, f"bob{number}", "source", bytes([75 + number]) * 1500)
    assert store.clean_up() >= 4
    kept = [name for name in ("ann0", "ann1", *(f"bob{number}" for number in range(8))) if store.load(name) is not None]
    assert kept[:2] == ["ann0", "ann1"]
    assert kept[-1] == "bob7"
    assert "bob0" not in kept


def test_records_leave_by_age(opened, monkeypatch):
    store = opened(max_age=100)
    store.create("old", {})
    keep(store, "old", "source", b"old")
    wait(monkeypatch, store, 101)
    store.create("new", {})
    assert store.clean_up() == 1
    assert store.load("old") is None
    assert store.load("new") == {}
    assert files(store) == []


def test_a_missing_file_is_computed_again(store):
    store.create("r", {})
    keep(store, "r", "panel:p1", b"values")
    lose(store)
    assert store.attach("r", "panel:p1", store.key("values")) is None
    assert store.read("r", "panel:p1") is None
    keep(store, "r", "panel:p1", b"values")
    assert store.read("r", "panel:p1") == b"values"


def test_a_new_use_and_a_removal_do_not_race(opened, store):
    """Records take turns in using and dropping the same blob: whoever holds it can read it."""
    lost = []

    def use(name):
        own = opened()
        for turn in range(40):
            record = f"{name}{turn}"
            own.create(record, {})
            keep(own, record, "source", b"shared")
            if own.read(record, "source") != b"shared":
                lost.append(record)
            own.forget(record)

    threads = [threading.Thread(target=use, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
    assert files(store) == []


def test_a_transaction_that_fails_is_rolled_back(indexed):
    indexed.create("r", {"a": 1})

    def break_off():
        with indexed._index.transaction() as index:
            index.execute("DELETE FROM record")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert indexed.load("r") == {"a": 1}
    indexed.update("r", {"a": 2})
    assert indexed.load("r") == {"a": 2}


def test_connections_are_reused_and_closed(indexed):
    indexed.create("r", {})
    for _ in range(20):
        indexed.update("r", {})
        indexed.load("r")
    assert len(indexed._index._idle) == 1
    indexed.close()
    assert indexed._index._idle == []
    assert not list(indexed.folder.glob("*-wal"))  # the last one to close writes the log back
    assert indexed.load("r") == {}


def test_owners_are_kept_and_stores_of_older_versions_are_upgraded(tmp_path):
    index = sqlite3.connect(tmp_path / "index.sqlite3")
    index.execute("CREATE TABLE record (id TEXT PRIMARY KEY, created REAL NOT NULL, body TEXT NOT NULL)")
    index.execute("INSERT INTO record VALUES ('old', ?, '{}')", (time.time(),))
    index.commit()
    index.close()
    store = Store(tmp_path, max_bytes=10**6, max_age=10**6)
    store.create("new", {}, "ann")
    assert [store.owner(id) for id in ("old", "new", "none")] == ["", "ann", None]
    store.close()
    assert Store(tmp_path, max_bytes=10**6, max_age=10**6).owner("new") == "ann"


def test_records_that_nobody_computes_any_more_become_cancelled(indexed):
    """A damaged one is left as it is."""
    for name, body in {"a": {"status": "running", "panels": ["«"]}, "b": {"status": "running"}, "c": {"n": 1}}.items():
        indexed.create(name, body)
    indexed.create("d", {})
    with indexed._index.transaction() as index:
        index.execute("UPDATE record SET body = '{' WHERE id = 'd'")
    assert indexed.cancel_running(except_for=["b"]) == 1
    assert indexed.load("a") == {"status": "cancelled", "panels": ["«"]}
    assert (indexed.load("b"), indexed.load("c")) == ({"status": "running"}, {"n": 1})


def test_two_servers_on_one_folder_leave_each_other_alone(tmp_path):
    """Each cancels what it, or a server that has ended, was computing; what another one computes goes on."""
    ended, other, store = (Store(tmp_path, max_bytes=10_000, max_age=3600) for _ in range(3))
    for name, opened in (("ended", ended), ("other", other), ("own", store), ("retried", store)):
        opened.create(name, {"status": "running"})
    ended.close()
    assert store.cancel_running(except_for=["retried"]) == 2
    status = {name: store.load(name)["status"] for name in ("ended", "other", "own", "retried")}
    assert status == {"ended": "cancelled", "other": "running", "own": "cancelled", "retried": "running"}
    other.close()
    assert store.cancel_running(except_for=[]) == 2
    assert list((tmp_path / "runners").iterdir()) == [tmp_path / "runners" / store._runner.name]
    store.close()
    assert list((tmp_path / "runners").iterdir()) == []
