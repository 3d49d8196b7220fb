"""What is deleted is gone from the disk, and what is old is deleted at the right time, even if clocks jump."""

from __future__ import annotations

import pytest
from gradoscope.storage import clock, index
from gradoscope.storage.store import Store

from tests.support.store_files import MAGIC, blobs, keep

# what is deleted


def traces(folder, *texts):
    """Where in the folder's files any of the texts is still to be found."""
    return [path for path in folder.rglob("*") if path.is_file() and any(t in path.read_bytes() for t in texts)]


def test_what_is_deleted_is_gone_from_the_disk(store):
    keep(store, "other", b"other")
    store.create("secret-record", {"label": "secret-label", "filler": "x" * 50_000})
    store.put("secret-record", "source", store.key("a"), MAGIC * 100, {"meta": "secret-meta"})
    store.update("secret-record", {"label": "secret-label", "more": "secret-label" * 1000})
    secrets = (MAGIC, b"secret-record", b"secret-label", b"secret-meta")
    assert traces(store.folder, *secrets)
    other = Store(store.folder, max_bytes=10_000_000, max_age=3600)
    other.load("other")
    assert store.forget("secret-record")
    assert traces(store.folder, *secrets) == []
    assert other.read("other", "source") == b"other"


def test_a_deletion_while_another_reads_is_finished_by_the_next_clean_up(store, monkeypatch):
    monkeypatch.setattr(index, "TRUNCATE_SECONDS", 0.05)
    keep(store, "secret-record")
    with store._index.transaction(write=False) as reading:
        reading.execute("SELECT * FROM record").fetchall()
        assert store.forget("secret-record")
        assert blobs(store) == []
    store.clean_up()
    assert traces(store.folder, b"secret-record", MAGIC) == []


def test_what_leaves_by_age_or_size_is_gone_from_the_disk(tmp_path, monkeypatch):
    store = Store(tmp_path, max_bytes=50, max_age=100)
    for number in range(4):
        keep(store, f"secret-record-{number}", MAGIC + bytes([65 + number]))
    assert store.clean_up() == 3
    assert traces(tmp_path, *(f"secret-record-{n}".encode() for n in range(3))) == []
    pass_time(monkeypatch, 101)
    assert store.clean_up() == 1
    assert traces(tmp_path, b"secret-record", MAGIC) == []


# clocks


def pass_time(monkeypatch, seconds, uptime=True, wall=True):
    for name, changes in (("_uptime", uptime), ("_wall", wall)):
        if changes:
            real = getattr(clock, name)
            monkeypatch.setattr(clock, name, lambda real=real: real() + seconds)


@pytest.mark.parametrize("jump", [365 * 86400, -365 * 86400, 7200, -7200])
def test_a_wall_clock_that_jumps_deletes_nothing_early_and_nothing_late(store, monkeypatch, jump):
    keep(store, "before")
    store.clean_up()
    pass_time(monkeypatch, jump, uptime=False)
    store.clean_up()
    keep(store, "meanwhile", b"meanwhile")
    assert store.load("before")
    pass_time(monkeypatch, -jump, uptime=False)
    store.clean_up()
    assert store.load("before")
    assert store.load("meanwhile")
    pass_time(monkeypatch, jump, uptime=False)
    pass_time(monkeypatch, 3601)
    assert store.clean_up() == 2
    assert store.usage() == (0, 0)


@pytest.mark.parametrize(("off", "left"), [(1800, 1), (3700, 0), (-10_000_000, 1)])
def test_while_the_machine_is_off_the_wall_clock_counts(store, monkeypatch, off, left):
    keep(store, "before")
    store.clean_up()
    monkeypatch.setattr(clock, "_boot", lambda: "another")
    monkeypatch.setattr(clock, "_uptime", lambda: 1.0)
    pass_time(monkeypatch, off, uptime=False)
    store.clean_up()
    assert store.usage()[0] == left
    pass_time(monkeypatch, 3601)
    store.clean_up()
    assert store.usage() == (0, 0)


def test_records_from_the_future_do_not_stay_for_ever(store, monkeypatch):
    keep(store, "one")
    with store._index.transaction() as connection:
        connection.execute("UPDATE record SET created = created + 1e9")
    store.clean_up()
    pass_time(monkeypatch, 3601)
    assert store.clean_up() == 1


def test_without_a_boot_id_the_wall_clock_is_used(store, monkeypatch):
    monkeypatch.setattr(clock, "_boot", lambda: "")
    keep(store, "one")
    store.clean_up()
    pass_time(monkeypatch, 3601, uptime=False)
    assert store.clean_up() == 1
