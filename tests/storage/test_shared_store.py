"""A store that many servers share: they use and delete the same panels at once, die, and find files damaged."""

from __future__ import annotations

import errno
import multiprocessing
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from gradoscope.contract.problems import NotFound, NotStored, StorageFull, Unavailable
from gradoscope.settings import Settings
from gradoscope.storage import object_store, shared_store
from gradoscope.storage.object_layout import OWNER, RECORD
from gradoscope.storage.object_store import FsspecObjectStore, LocalObjectStore
from gradoscope.storage.shared_store import SharedStore
from gradoscope.storage.store import Store
from gradoscope.storage.stores import open_store

KEYS = 4  # panels that every process uses


def panel(number):
    """The bytes of a panel."""
    return f"values of panel {number}".encode() * 50


def shared(root, **settings):
    return SharedStore(LocalObjectStore(root), **{"max_bytes": 10**7, "max_age": 3600, "deadline": 60} | settings)


@pytest.fixture
def store(tmp_path):
    return shared(tmp_path / "shared")


def keep(store, record, number=0):
    """As a run does: attach the panel if it is stored, else put it; then read it."""
    key, name = store.key("panel", number), f"panel:p{number}"
    if store.attach(record, name, key) is None:
        store.put(record, name, key, panel(number), {"number": number})
    return store.read(record, name)


def left(store):
    """All paths in the object store."""
    return sorted(item.path for item in store._objects.list_below(""))


# at once


def use_and_forget(root, name, turns, faults):
    """Keeps panels in each record, reads them by another store, and deletes it; every third one already meanwhile."""
    store = shared(root)
    for turn in range(turns):
        record = f"{name}-{turn}"
        store.create(record, {"status": "running"})
        middle = threading.Thread(target=store.forget, args=(record,)) if turn % 3 == 0 else None
        if middle:
            middle.start()
        with suppress(NotFound):
            for number in range(KEYS):
                keep(store, record, number)
            store.update(record, {"status": "done"})
            if not middle:
                for number in range(KEYS):
                    if shared(root).read(record, f"panel:p{number}") != panel(number):
                        faults.put(f"{record} lacks {number}")
        if middle:
            middle.join()
        elif not store.forget(record):
            faults.put(f"{record} was not there")


def test_processes_use_and_forget_the_same_panels_at_once(store, tmp_path):
    """No panel that is in use is ever missing, and nothing of a deleted record is left."""
    context = multiprocessing.get_context("fork")
    faults = context.SimpleQueue()
    root = tmp_path / "shared"
    store.key("x")
    running = [context.Process(target=use_and_forget, args=(root, f"r{n}", 30, faults)) for n in range(4)]
    for process in running:
        process.start()
    store.create("stays", {})
    while any(process.is_alive() for process in running):
        for number in range(KEYS):
            assert keep(store, "stays", number) == panel(number)
        store.clean_up()
    for process in running:
        process.join()
        assert process.exitcode == 0
    assert faults.empty(), faults.get()
    assert {path.split("/")[1] for path in left(store) if path.startswith("records/")} == {"stays"}
    assert store.forget("stays")
    assert [path for path in left(store) if path.startswith(("records/", "keys/"))] == []


class Interrupted(LocalObjectStore):
    """A folder in which another process acts (`act`) once, just before the first call for which `call` is true."""

    def __init__(self, root, call, act):
        super().__init__(root)
        self._call, self._act = call, act

    def _turn(self, call, path):
        if self._call(call, path) and (act := self._act):
            self._act = None
            act()

    def read(self, *paths):
        self._turn("read", paths[0])
        return super().read(*paths)

    def write(self, objects):
        self._turn("write", next(iter(objects), ""))
        super().write(objects)

    def share(self, path, *rest):
        self._turn("share", path)
        super().share(path, *rest)

    def list_below(self, path):
        self._turn("below", path)
        return super().list_below(path)

    def remove(self, *paths):
        self._turn("remove", paths[0] if paths else "")
        super().remove(*paths)


def interrupted(root, call, part, act):
    """A shared store in which `act` runs once, just before the first `call` on a path that contains `part`."""
    place = Interrupted(root, lambda name, path: name == call and part in path, act)
    return SharedStore(place, max_bytes=10**7, max_age=3600, deadline=60)


@pytest.mark.parametrize("moment", [("read", "keys/"), ("read", "records/one/"), ("share", "records/two/")])
def test_what_is_attached_stays_though_its_source_is_forgotten_in_the_middle(store, tmp_path, moment):
    store.create("one", {})
    keep(store, "one")
    other = interrupted(tmp_path / "shared", *moment, lambda: store.forget("one"))
    other.create("two", {})
    assert keep(other, "two") == panel(0)
    assert store.read("two", "panel:p0") == panel(0)
    assert store.read("one", "panel:p0") is None
    store.create("three", {})
    assert store.attach("three", "panel:p0", store.key("panel", 0)) == {"number": 0}


@pytest.mark.parametrize("what", ["update", "put", "attach", "create"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_writing_to_a_record_that_is_deleted_meanwhile_fails_and_leaves_nothing(store, tmp_path, what, moment):
    root = tmp_path / "shared"
    store.create("source", {})
    keep(store, "source")
    store.create("one", {})
    call = "share" if what == "attach" else "write"
    part = "records/one/"
    after = ("read", "gone/" if what == "create" else f"one/{OWNER}")
    other = interrupted(root, *((call, part) if moment == "before" else after), lambda: store.forget("one"))
    key = store.key("panel", 0)
    with pytest.raises(NotFound):
        {
            "update": lambda: other.update("one", {"new": 1}),
            "put": lambda: other.put("one", "panel:p0", key, panel(0), {}),
            "attach": lambda: other.attach("one", "panel:p0", key),
            "create": lambda: other.create("one", {}),
        }[what]()
    assert store.load("one") is None
    assert [path for path in left(store) if path.startswith("records/one")] == []
    assert store.attach("source", "panel:p0", key)


def test_deleting_a_record_removes_what_is_written_at_the_same_moment(store, tmp_path):
    store.create("one", {})
    written = interrupted(tmp_path / "shared", "below", "records/one", lambda: write_directly(store))
    assert written.forget("one")
    assert [path for path in left(store) if path.startswith("records/")] == []


def write_directly(store):
    store._objects.write({"records/one/panel%3Ap1": b"of a process that died before it could look"})


def test_writing_after_the_deletion_has_listed_the_record_fails(store, tmp_path):
    class Listed(LocalObjectStore):
        def list_below(self, path):
            found = super().list_below(path)
            with pytest.raises(NotFound):
                keep(store, "one")
            return found

    store.create("one", {})
    assert SharedStore(Listed(tmp_path / "shared"), max_bytes=10**7, max_age=3600, deadline=60).forget("one")
    assert [path for path in left(store) if path.startswith("records/")] == []


def test_a_folder_that_another_process_deletes_is_made_again(store, monkeypatch):
    real, turns = Path.mkdir, []

    def mkdir(path, *rest, **named):
        turns.append(path)
        if len(turns) < 3:
            raise FileExistsError(path)  # as pathlib does if the folder exists at first and is deleted a moment later
        real(path, *rest, **named)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    store.create("one", {"a": 1})
    assert store.load("one") == {"a": 1}


def test_a_deleted_record_cannot_be_created_again(store):
    store.create("one", {})
    assert store.forget("one")
    with pytest.raises(NotFound, match="deleted"):
        store.create("one", {})
    assert (store.load("one"), store.owner("one"), store.forget("one")) == (None, None, False)


def test_the_id_of_a_deleted_record_is_nowhere_in_the_store(store, tmp_path):
    store.create("a-secret-id", {"label": "cat"}, "ann")
    keep(store, "a-secret-id")
    store.forget("a-secret-id")
    for path in (tmp_path / "shared").rglob("*"):
        assert "a-secret-id" not in str(path)
        assert not path.is_file() or b"a-secret-id" not in path.read_bytes()


def test_servers_that_start_at_once_use_one_secret(tmp_path):
    keys = set()
    threads = [threading.Thread(target=lambda: keys.add(shared(tmp_path / "new").key("cat"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 1
    (tmp_path / "new" / "secret").write_bytes(b"cut")
    with pytest.raises(Unavailable, match="secret is damaged"):
        shared(tmp_path / "new").key("cat")


# age


def test_a_running_record_counts_as_cancelled_only_after_the_deadline(store, monkeypatch):
    for name, status in (("young", "running"), ("done", "done")):
        store.create(name, {"status": status})
    assert store.cancel_running(except_for=[]) == 0
    assert store.load("young") == {"status": "running"}
    later = time.time() + 60 + shared_store.SKEW_SECONDS + 1
    monkeypatch.setattr(shared_store.time, "time", lambda: later)
    assert store.load("young") == {"status": "cancelled"}
    assert store.load("done") == {"status": "done"}


def test_leftovers_of_processes_that_died_are_cleaned_up(store, tmp_path):
    store.create("one", {})
    keep(store, "one")
    store.create("forgotten", {})
    store.forget("forgotten")
    place = store._objects
    for path in ("records/dead/panel", "records/one/young.part", "records/one/old.part", "keys/ab/abc"):
        place.write({path: b"x"})
    kept = left(store)
    store.clean_up()
    assert left(store) == sorted([*kept, "clock"])
    for path in ("records/dead/panel", "records/one/old.part", "keys/ab/abc"):
        os.utime(tmp_path / "shared" / path, (1, 1))
    for path in (tmp_path / "shared" / "gone").iterdir():
        os.utime(path, (1, 1))
    store._tidied = 0.0
    store.clean_up()
    gone = {"records/dead/panel", "records/one/old.part", "keys/ab/abc"}
    assert left(store) == sorted(["clock", *(p for p in kept if p not in gone and not p.startswith("gone/"))])
    assert store.read("one", "panel:p0") == panel(0)


def test_bytes_that_records_share_are_counted_once(store):
    for record in ("one", "two"):
        store.create(record, {})
        keep(store, record)
    records, size = store.usage()
    assert records == 2
    assert len(panel(0)) < size < 2 * len(panel(0))
    store.forget("one")
    assert store.usage() == (1, size)
    store.max_bytes = size - 1
    assert store.clean_up() == 1
    assert store.usage() == (0, 0)


# damage, ids, and errors of the disk


def flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("damage", [flip, lambda data: data[:100], lambda data: b"", lambda data: data + b"\0"])
def test_a_damaged_panel_is_deleted_and_can_be_put_again(store, tmp_path, damage):
    store.create("one", {})
    keep(store, "one")
    path = tmp_path / "shared" / "records" / "one" / "panel%3Ap0"
    path.write_bytes(damage(path.read_bytes()))
    assert store.read("one", "panel:p0") is None
    assert not path.exists()
    store.create("two", {})
    assert store.attach("two", "panel:p0", store.key("panel", 0)) is None
    assert keep(store, "one") == panel(0)


def test_a_damaged_record_is_forgotten_and_a_damaged_pointer_leads_nowhere(store, tmp_path):
    store.create("one", {})
    keep(store, "one")
    (pointer,) = (tmp_path / "shared" / "keys").glob("*/*")
    deep = b"[" * 100_000
    elsewhere = b'{"record": "../..", "name": "secret"}', b'{"record": "one", "name": "panel:p9"}'
    for damaged in (b"{", b"[]", deep, *elsewhere):
        pointer.write_bytes(damaged)
        another = shared(tmp_path / "shared")  # which does not know the key already
        assert another.attach("one", "panel:p0", store.key("panel", 0)) is None
    (tmp_path / "shared" / "records" / "one" / RECORD).write_bytes(b"{")
    assert store.load("one") is None
    assert store.owner("one") is None
    store.create("two", {})
    (tmp_path / "shared" / "records" / "two" / RECORD).write_bytes(deep)
    assert store.load("two") is None


@pytest.mark.parametrize("id", ["..", ".", "", "../../etc", "a/b", "x" * 3000, "*", "a%2Fb", "ß\0"])
def test_no_id_and_no_name_leads_out_of_the_folder(store, tmp_path, id):
    assert (store.load(id), store.owner(id), store.read(id, id), store.forget(id)) == (None, None, None, False)
    store.create(id, {"a": 1})
    store.put(id, f"panel:{id}", store.key("x"), b"x", {})
    assert (store.load(id), store.read(id, f"panel:{id}")) == ({"a": 1}, b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["shared"]
    assert store.forget(id)
    assert [path for path in left(store) if path.startswith(("records", "keys"))] == []


def test_without_hard_links_bytes_are_copied(store, monkeypatch):
    def link(*paths):
        raise OSError(errno.EPERM, "no links here")

    store.create("one", {})
    keep(store, "one")
    monkeypatch.setattr(os, "link", link)
    store.create("two", {})
    assert store.attach("two", "panel:p0", store.key("panel", 0)) == {"number": 0}
    store.forget("one")
    assert store.read("two", "panel:p0") == panel(0)


def fail(number):
    def act(*arguments, **named):
        raise OSError(number, os.strerror(number))

    return act


def test_a_full_disk_makes_room_by_forgetting_the_oldest(store, monkeypatch):
    for record in ("one", "two", "three"):
        store.create(record, {})
        store.put(record, "source", store.key(record), record.encode(), {})
    real, turns = Path.write_bytes, []

    def write(path, data):
        if b"new" in data and len(list(Path(path).parents[1].iterdir())) > 1:
            raise OSError(errno.ENOSPC, "full")
        turns.append(path)
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", write)
    store.put("three", "image", store.key("image"), b"new", {})
    assert [store.load(record) for record in ("one", "two", "three")] == [None, None, {}]
    monkeypatch.setattr(Path, "write_bytes", fail(errno.ENOSPC))
    with pytest.raises(StorageFull):
        store.update("three", {})
    assert store.forget("three")  # also where nothing can be written


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_errors_of_writing_are_reported(store, monkeypatch, number):
    monkeypatch.setattr(Path, "write_bytes", fail(number))
    with pytest.raises(NotStored):
        store.create("one", {})


def test_errors_of_reading_are_reported_as_temporary(store, monkeypatch):
    store.create("one", {})
    monkeypatch.setattr(Path, "open", fail(errno.EIO))
    with pytest.raises(Unavailable) as raised:
        store.load("one")
    assert raised.value.retry_after == 5
    store.check()  # says so in the log


def test_messages_contain_no_credentials():
    message = object_store.describe_error(OSError("cannot reach http://user:secret@host/bucket"))
    assert "secret" not in message
    assert "//…@host/bucket" in message


# settings


def test_the_setting_says_which_store(tmp_path):
    assert isinstance(open_store(Settings(store=tmp_path / "plain")), Store)
    assert isinstance(open_store(Settings(store=str(tmp_path / "plain"))), Store)
    store = open_store(Settings(store=f"file://{tmp_path}/shared/", store_days=2, deadline=7))
    assert isinstance(store, SharedStore)
    assert (store._objects._root, store.max_age, store._deadline) == (tmp_path / "shared", 2 * 86400, 7)
    assert Settings(store="~/kept").store == Path.home() / "kept"
    for wrong in ("ftp://x", "file://x", "s3://key:secret@bucket", "gs://bucket"):
        with pytest.raises(ValueError, match=r"none of|absolute|credentials|needs the package") as raised:
            Settings(store=wrong)
        assert "key:secret" not in str(raised.value)


def test_an_object_store_without_conditional_puts_has_one_secret_too(tmp_path, monkeypatch):
    monkeypatch.setattr(object_store, "CONFLICT_SECONDS", 0)
    bucket = FsspecObjectStore(f"memory://{tmp_path}")
    pipe = bucket._files.pipe_file

    def plain(path, data, **options):
        if options.get("mode") == "create":
            raise NotImplementedError("If-None-Match")
        pipe(path, data)

    monkeypatch.setattr(bucket._files, "pipe_file", plain)
    one, two = (SharedStore(bucket, max_bytes=1, max_age=1, deadline=1) for _ in range(2))
    assert one.key("cat") == two.key("cat")
