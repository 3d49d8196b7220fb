"""A store whose files are damaged, deleted or locked, also while many use it: each call answers, or says why not."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import threading
from contextlib import suppress

import pytest
from gradoscope.contract.problems import NotFound, Problem, Unavailable
from gradoscope.storage import index
from gradoscope.storage.store import Store

from tests.support.store_files import MAGIC, blobs, index_file, keep

# damaged files


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data + b"\0",
        lambda data: bytes(len(data)),
    ],
    ids=["one bit", "cut", "empty", "longer", "zeros"],
)
def test_a_damaged_file_is_deleted_and_can_be_written_again(store, damage):
    for record in ("one", "two"):
        keep(store, record)
    (path,) = blobs(store)
    path.write_bytes(damage(MAGIC))
    assert store.read("one", "source") is None
    assert blobs(store) == []
    assert store.attach("one", "source", store.key(MAGIC.decode())) is None
    keep(store, "one")
    assert store.read("two", "source") == MAGIC  # it is there again for every record that uses it
    path.write_bytes(damage(MAGIC))
    assert store.attach("three", "source", store.key(MAGIC.decode())) is None
    assert blobs(store) == []


def test_files_that_the_index_does_not_know_are_cleaned_up(store):
    keep(store, "one")
    folder = blobs(store)[0].parent
    (folder / "unknown").write_bytes(MAGIC)
    (folder / "young.part").write_bytes(MAGIC)
    (folder / "old.part").write_bytes(MAGIC)
    os.utime(folder / "old.part", (1, 1))
    store.clean_up()
    assert sorted(path.name for path in blobs(store)) == sorted([store.key(MAGIC.decode()), "young.part"])
    assert store.read("one", "source") == MAGIC


# a damaged index

DAMAGES = {
    "no SQLite": lambda path: path.write_bytes(b"nothing of the kind" * 1000),
    "cut in the middle": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "deleted": lambda path: path.unlink(),
    "garbage after the head": lambda path: path.write_bytes(
        path.read_bytes()[:100] + random.Random(0).randbytes(path.stat().st_size - 100)
    ),
    "without tables": lambda path: sqlite3.connect(path).executescript("DROP TABLE uses; DROP TABLE record").close(),
}


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("opened", [False, True], ids=["when it is opened", "while it is open"])
def test_a_damaged_index_is_replaced_by_a_new_one(store, how, opened):
    for number in range(30):
        keep(store, f"r{number}", MAGIC + bytes([65 + number]))
    other = Store(store.folder, max_bytes=10_000_000, max_age=3600)  # the other process
    assert other.load("r0")
    if not opened:
        store.close(), other.close()
    else:
        with store._index.transaction() as connection:  # so that all is in the file, not only in the write-ahead log
            pass
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    DAMAGES[how](index_file(store))
    store.check()
    for one in (store, other, store):
        for _ in range(3):
            with suppress(Unavailable):  # at most this, and not for long
                keep(one, "new")
                break
        else:
            raise AssertionError("the index was not replaced")
        assert one.read("new", "source") == MAGIC
    store.clean_up()
    other.close()  # closing the old index does not delete the new one
    assert store.load("new") == {"label": "label of new"}
    again = Store(store.folder, max_bytes=10_000_000, max_age=3600)
    assert again.read("new", "source") == MAGIC
    if how not in ("empty", "cut in the middle", "garbage after the head"):  # of these SQLite's log may save some
        assert [path.name for path in blobs(store)] == [store.key(MAGIC.decode())]
    current = index_file(store).name
    assert {path.name for path in store.folder.glob("index*.sqlite3*")} <= {current, f"{current}-wal", f"{current}-shm"}


@pytest.mark.parametrize("key", ["a\0b", "../../outside", "", 7, b"\xff"])
def test_a_key_that_is_damaged_leads_nowhere(store, key):
    outside = store.folder.parent / "outside"
    outside.write_text("not ours")
    keep(store, "kept")
    with store._index.transaction() as index:
        row = index.execute("SELECT * FROM blob").fetchone()
        index.execute(f"INSERT INTO blob VALUES ({', '.join('?' * len(row))})", (key, *row[1:]))
        index.execute("UPDATE blob SET bytes = 'many' WHERE key = ?", (key,))
    assert store.forget("kept")
    assert store.load("kept") is None
    assert outside.read_text() == "not ours"


def test_damage_at_random_places_ends_in_an_answer(store):
    """Flipped bytes anywhere in the index: each call answers or says why not, and afterwards all is well."""
    draw = random.Random(1)
    for turn in range(40):
        for number in range(10):
            keep(store, f"{turn}-{number}", MAGIC + bytes([65 + number]))
        store.close()
        path = index_file(store)
        data = bytearray(path.read_bytes())
        for _ in range(20):
            data[draw.randrange(len(data))] ^= draw.randrange(1, 256)
        path.write_bytes(data)
        store.check()
        for number in range(10):
            with suppress(Problem):
                store.load(f"{turn}-{number}")
                store.read(f"{turn}-{number}", "source")
        with suppress(Problem):
            store.clean_up()
        for _ in range(3):
            with suppress(Unavailable):
                keep(store, "after")
                break
        assert store.read("after", "source") == MAGIC


def test_a_locked_index_is_reported_as_busy(store, monkeypatch):
    monkeypatch.setattr(index, "LOCK_SECONDS", 0.1)
    keep(store, "one")
    store.close()
    holder = sqlite3.connect(index_file(store), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="busy") as refused:
        store.create("two", {})
    assert refused.value.retry_after
    assert store.read("one", "source") == MAGIC  # reading goes on
    holder.execute("ROLLBACK")
    holder.close()
    store.create("two", {})


def test_a_folder_that_is_deleted_comes_back(store):
    keep(store, "one")
    shutil.rmtree(store.folder)
    assert store.load("one") is None
    keep(store, "two")
    assert store.read("two", "source") == MAGIC


def test_a_lost_secret_is_replaced(store):
    before = store.key("x")
    (store.folder / "secret").write_bytes(b"")
    after = Store(store.folder, max_bytes=1000, max_age=60).key("x")
    assert after != before
    assert Store(store.folder, max_bytes=1000, max_age=60).key("x") == after


# many at once


def test_many_threads_while_the_index_is_lost_again_and_again(store):
    """Each call ends, and what it raises is a problem."""
    faults = []

    def use(number):
        own = Store(store.folder, max_bytes=10_000_000, max_age=3600)
        for turn in range(30):
            try:
                keep(own, f"{number}-{turn}", MAGIC + bytes([65 + turn % 20]))
                own.read(f"{number}-{turn}", "source")
                own.forget(f"{number}-{turn}")
            except (Unavailable, NotFound):
                pass
            except Exception as error:
                faults.append(error)
        own.close()

    threads = [threading.Thread(target=use, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        for path in store.folder.glob("index*.sqlite3"):
            path.unlink(missing_ok=True)
        threading.Event().wait(0.05)
    for thread in threads:
        thread.join()
    assert faults == []
    keep(store, "after")
    assert store.read("after", "source") == MAGIC
