"""Content-addressed store: counted uses, deletion, age, size, two processes at once."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest
from gradoscope.errors import NotFound
from gradoscope.service import clock
from gradoscope.service.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", max_bytes=10_000, max_age=3600)


def files(store):
    return [path for path in (store.folder / "blobs").rglob("*") if path.is_file()]


def wait(monkeypatch, seconds):
    """Time goes on, for the machine and on the wall."""
    for name in ("_uptime", "_wall"):
        real = getattr(clock, name)
        monkeypatch.setattr(clock, name, lambda real=real: real() + seconds)


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
    assert len(files(store)) == 1
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
    store.sweep()
    assert files(store) == []


def test_keys_need_the_secret(tmp_path):
    one, two = (Store(tmp_path / name, 1000, 60) for name in ("one", "two"))
    assert one.key("cat") == one.key("cat")
    assert one.key("cat") != two.key("cat")
    assert one.key("cat") != one.key("dog")
    assert Store(tmp_path / "one", 1000, 60).key("cat") == one.key("cat")


def test_the_oldest_go_until_the_size_holds(store):
    for number in range(5):
        store.create(f"r{number}", {})
        keep(store, f"r{number}", "source", bytes([65 + number]) * 3000)
    assert store.sweep() == 2
    assert [store.load(f"r{number}") is not None for number in range(5)] == [False, False, True, True, True]
    assert len(files(store)) == 3


def test_records_leave_by_age(tmp_path, monkeypatch):
    store = Store(tmp_path, 10_000, max_age=100)
    store.create("old", {})
    keep(store, "old", "source", b"old")
    wait(monkeypatch, 101)
    store.create("new", {})
    assert store.sweep() == 1
    assert store.load("old") is None
    assert store.load("new") == {}
    assert files(store) == []


def test_a_missing_file_is_computed_again(store):
    store.create("r", {})
    keep(store, "r", "panel:p1", b"values")
    files(store)[0].unlink()
    assert store.attach("r", "panel:p1", store.key("values")) is None
    assert store.read("r", "panel:p1") is None
    keep(store, "r", "panel:p1", b"values")
    assert store.read("r", "panel:p1") == b"values"


def test_a_new_use_and_a_removal_do_not_race(store):
    """Two records take turns in using and dropping the same blob: whoever holds it can read it."""
    lost = []

    def use(record):
        own = Store(store.folder, 10_000, 3600)
        for _ in range(40):
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


def test_a_change_that_breaks_off_is_taken_back(store):
    store.create("r", {"a": 1})

    def break_off():
        with store._index.transaction() as index:
            index.execute("DELETE FROM record")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert store.load("r") == {"a": 1}
    store.update("r", {"a": 2})
    assert store.load("r") == {"a": 2}


def test_connections_are_used_again_and_let_go(store):
    store.create("r", {})
    for _ in range(20):
        store.update("r", {})
        store.load("r")
    assert len(store._index._idle) == 1
    store.close()
    assert store._index._idle == []
    assert not list(store.folder.glob("*-wal"))  # the last one to close writes the log back
    assert store.load("r") == {}


def test_owners_are_kept_and_old_stores_get_them(tmp_path):
    index = sqlite3.connect(tmp_path / "index.sqlite3")
    index.execute("CREATE TABLE record (id TEXT PRIMARY KEY, created REAL NOT NULL, body TEXT NOT NULL)")
    index.execute("INSERT INTO record VALUES ('old', ?, '{}')", (time.time(),))
    index.commit()
    index.close()
    store = Store(tmp_path, 10**6, 10**6)
    store.create("new", {}, "ann")
    assert [store.owner(id) for id in ("old", "new", "none")] == ["", "ann", None]
    store.close()
    assert Store(tmp_path, 10**6, 10**6).owner("new") == "ann"


def test_what_nobody_computes_any_more_was_cancelled(store):
    """One that is damaged is left to be found out."""
    for name, body in {"a": {"status": "running", "panels": ["«"]}, "b": {"status": "running"}, "c": {"n": 1}}.items():
        store.create(name, body)
    store.create("d", {})
    with store._index.transaction() as index:
        index.execute("UPDATE record SET body = '{' WHERE id = 'd'")
    assert store.end_all(["b"]) == 1
    assert store.load("a") == {"status": "cancelled", "panels": ["«"]}
    assert (store.load("b"), store.load("c")) == ({"status": "running"}, {"n": 1})
