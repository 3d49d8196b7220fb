"""What disks do to the store: full, read-only, damaged, deleted, locked; and clocks that jump.

A small file system of its own is mounted where that is allowed; else errors come from the system by limits of the
process and permissions, or are put in at the calls.
"""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from gradoscope.contract.problems import NotFound, NotStored, Problem, StorageFull, Unavailable
from gradoscope.storage import clock, index
from gradoscope.storage.store import Store

NOBODY = 65534
MAGIC = b"this-is-what-the-picture-shows"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", max_bytes=10_000_000, max_age=3600)


def blobs(store):
    return [path for path in (store.folder / "blobs").rglob("*") if path.is_file()]


def index_file(store):
    (path,) = store.folder.glob("index*.sqlite3")
    return path


def keep(store, record, data=MAGIC, name="source"):
    store.create(record, {"label": f"label of {record}"})
    store.put(record, name, store.key(data.decode("latin-1")), data, {"n": 1})


# damaged files


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data + b"\0",
        lambda data: bytes(len(data)),
    ],
    ids=["one bit", "cut", "empty", "longer", "zeros"],
)
def test_a_damaged_file_is_taken_away_and_can_be_written_again(store, spoil):
    for record in ("one", "two"):
        keep(store, record)
    (path,) = blobs(store)
    path.write_bytes(spoil(MAGIC))
    assert store.read("one", "source") is None
    assert blobs(store) == []
    assert store.attach("one", "source", store.key(MAGIC.decode())) is None
    keep(store, "one")
    assert store.read("two", "source") == MAGIC  # whoever had it has it again
    path.write_bytes(spoil(MAGIC))
    assert store.attach("three", "source", store.key(MAGIC.decode())) is None
    assert blobs(store) == []


def test_files_that_the_index_does_not_know_are_swept(store):
    keep(store, "one")
    folder = blobs(store)[0].parent
    (folder / "unknown").write_bytes(MAGIC)
    (folder / "young.part").write_bytes(MAGIC)
    (folder / "old.part").write_bytes(MAGIC)
    os.utime(folder / "old.part", (1, 1))
    store.sweep()
    assert sorted(path.name for path in blobs(store)) == sorted([store.key(MAGIC.decode()), "young.part"])
    assert store.read("one", "source") == MAGIC


# a damaged index

SPOILT = {
    "no SQLite": lambda path: path.write_bytes(b"nothing of the kind" * 1000),
    "cut in the middle": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "deleted": lambda path: path.unlink(),
    "garbage after the head": lambda path: path.write_bytes(
        path.read_bytes()[:100] + random.Random(0).randbytes(path.stat().st_size - 100)
    ),
    "without tables": lambda path: sqlite3.connect(path).executescript("DROP TABLE uses; DROP TABLE record").close(),
}


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("opened", [False, True], ids=["when it is opened", "while it is open"])
def test_a_damaged_index_is_begun_anew(store, how, opened):
    for number in range(30):
        keep(store, f"r{number}", MAGIC + bytes([65 + number]))
    other = Store(store.folder, 10_000_000, 3600)  # the other process
    assert other.load("r0")
    if not opened:
        store.close(), other.close()
    else:
        with store._index.transaction() as connection:  # so that it is in the file, not only in the log
            pass
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    SPOILT[how](index_file(store))
    store.check()
    for one in (store, other, store):
        for _ in range(3):
            with suppress(Unavailable):  # at most this, and not for long
                keep(one, "new")
                break
        else:
            raise AssertionError("it is not begun anew")
        assert one.read("new", "source") == MAGIC
    store.sweep()
    other.close()  # what it had open does not take away what is there now
    assert store.load("new") == {"label": "label of new"}
    again = Store(store.folder, 10_000_000, 3600)
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
            store.sweep()
        for _ in range(3):
            with suppress(Unavailable):
                keep(store, "after")
                break
        assert store.read("after", "source") == MAGIC


def test_a_locked_index_is_told_and_waited_for(store, monkeypatch):
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


def test_a_lost_secret_is_made_anew(store):
    before = store.key("x")
    (store.folder / "secret").write_bytes(b"")
    after = Store(store.folder, 1000, 60).key("x")
    assert after != before
    assert Store(store.folder, 1000, 60).key("x") == after


# full


def test_on_a_full_disk_the_oldest_make_room(store, monkeypatch):
    """The disk holds 10 MB."""
    real = Path.write_bytes

    def write_bytes(path, data):
        if sum(file.stat().st_size for file in blobs(store)) + len(data) > 10_000_000:
            real(path, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    for number in range(20):
        keep(store, f"r{number}", bytes([number]) * 1_000_000)
    assert store.load("r0") is None
    assert store.read("r19", "source") == bytes([19]) * 1_000_000
    assert sum(file.stat().st_size for file in blobs(store)) <= 10_000_000
    assert not [path for path in blobs(store) if path.suffix == ".part"]
    with pytest.raises(StorageFull, match="is full") as refused:
        keep(store, "too large", bytes(11_000_000))
    assert refused.value.status == 507
    assert not [path for path in blobs(store) if path.suffix == ".part"]
    keep(store, "small", b"small")


def test_a_full_index_makes_room_too(store, monkeypatch):
    """By SQLite's own limit, which ends as a full disk does."""
    real = index._open

    def open_small(path):
        connection = real(path)
        connection.execute("PRAGMA max_page_count = 40")
        return connection

    monkeypatch.setattr(index, "_open", open_small)
    keep(store, "one")
    for number in range(20):
        store.create(f"r{number}", {"long": "x" * 20_000})
    assert store.load("one") is None
    assert store.load("r19")
    with pytest.raises(StorageFull):
        store.create("too large", {"long": "x" * 10_000_000})
    store.create("small", {})


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_really_full(small_disk):
    store = Store(small_disk / "store", 10_000_000, 3600)
    for number in range(30):
        keep(store, f"r{number}", random.Random(number).randbytes(300_000))
    assert store.read("r29", "source")
    (small_disk / "others").write_bytes(b"")
    with suppress(OSError), (small_disk / "others").open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    for number in range(5):  # somebody else has filled it: at the end nothing is left to be forgotten
        with suppress(StorageFull):
            keep(store, f"s{number}", random.Random(number).randbytes(300_000))
    with pytest.raises(StorageFull):
        keep(store, "large", bytes(2_900_000))
    (small_disk / "others").unlink()
    keep(store, "after")
    assert store.read("after", "source") == MAGIC
    store.close()


def test_a_limit_of_file_size_is_told(store):
    keep(store, "one")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(NotStored):
            keep(store, "two", bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.read("one", "source") == MAGIC
    keep(store, "two", bytes(1_000_000))


# read-only


@contextmanager
def write_protected(folder):
    """Within: nobody may write there, not even root, which therefore is somebody else meanwhile."""
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


@pytest.fixture
def public():
    """A folder that everybody can reach, unlike pytest's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("opened", [False, True], ids=["closed", "open"])
def test_a_read_only_store_can_be_read(public, opened):
    store = Store(public / "store", 10_000_000, 3600)
    keep(store, "one")
    if not opened:
        store.close()
    with write_protected(store.folder):
        later = Store(store.folder, 10_000_000, 3600)
        assert later.load("one") == {"label": "label of one"}
        assert later.read("one", "source") == MAGIC
        assert later.load("none") is None
        for change in (
            lambda: keep(later, "two", b"two"),
            lambda: later.update("one", {}),
            lambda: later.forget("one"),
            lambda: later.sweep(),
        ):
            with pytest.raises(NotStored, match="cannot write") as refused:
                change()
            assert refused.value.status == 507
        later.close()
    keep(store, "two", b"two")
    assert store.forget("one")
    store.close()


def test_a_place_where_nothing_can_be_made_is_told_at_the_call(public):
    with write_protected(public):
        store = Store(public / "store", 10_000_000, 3600)
        with pytest.raises(NotStored):
            store.create("one", {})
        with pytest.raises(NotStored):
            store.key("x")
    keep(store, "one")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.EDQUOT])
def test_other_errors_of_the_disk_are_told(store, monkeypatch, number):
    def fail(path, data):
        raise OSError(number, os.strerror(number))

    store.key("x")
    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(NotStored):
        keep(store, "one")
    monkeypatch.undo()
    keep(store, "one")


# what is deleted


def traces(folder, *texts):
    """Where in the folder's files any of the texts is still to be found."""
    return [path for path in folder.rglob("*") if path.is_file() and any(t in path.read_bytes() for t in texts)]


def test_what_is_deleted_is_gone_from_the_disk(store):
    keep(store, "other", b"other")
    store.create("secret-record", {"label": "secret-label", "filler": "x" * 50_000})
    store.put("secret-record", "source", store.key("a"), MAGIC * 100, {"meta": "secret-meta"})
    store.update("secret-record", {"label": "secret-label", "more": "secret-label" * 1000})
    wanted = (MAGIC, b"secret-record", b"secret-label", b"secret-meta")
    assert traces(store.folder, *wanted)
    other = Store(store.folder, 10_000_000, 3600)
    other.load("other")
    assert store.forget("secret-record")
    assert traces(store.folder, *wanted) == []
    assert other.read("other", "source") == b"other"


def test_a_deletion_beside_somebody_who_reads_is_tidied_at_the_next_sweep(store, monkeypatch):
    monkeypatch.setattr(index, "TRUNCATE_SECONDS", 0.05)
    keep(store, "secret-record")
    with store._index.transaction(write=False) as reading:
        reading.execute("SELECT * FROM record").fetchall()
        assert store.forget("secret-record")
        assert blobs(store) == []
    store.sweep()
    assert traces(store.folder, b"secret-record", MAGIC) == []


def test_what_leaves_by_age_or_size_is_gone_from_the_disk(tmp_path, monkeypatch):
    store = Store(tmp_path, 50, 100)
    for number in range(4):
        keep(store, f"secret-record-{number}", MAGIC + bytes([65 + number]))
    assert store.sweep() == 3
    assert traces(tmp_path, *(f"secret-record-{n}".encode() for n in range(3))) == []
    pass_time(monkeypatch, 101)
    assert store.sweep() == 1
    assert traces(tmp_path, b"secret-record", MAGIC) == []


# clocks


def pass_time(monkeypatch, seconds, uptime=True, wall=True):
    for name, changes in (("_uptime", uptime), ("_wall", wall)):
        if changes:
            real = getattr(clock, name)
            monkeypatch.setattr(clock, name, lambda real=real: real() + seconds)


@pytest.mark.parametrize("jump", [365 * 86400, -365 * 86400, 7200, -7200])
def test_a_wall_clock_that_jumps_forgets_nothing_and_keeps_nothing(store, monkeypatch, jump):
    keep(store, "before")
    store.sweep()
    pass_time(monkeypatch, jump, uptime=False)
    store.sweep()
    keep(store, "meanwhile", b"meanwhile")
    assert store.load("before")
    pass_time(monkeypatch, -jump, uptime=False)
    store.sweep()
    assert store.load("before")
    assert store.load("meanwhile")
    pass_time(monkeypatch, jump, uptime=False)
    pass_time(monkeypatch, 3601)
    assert store.sweep() == 2
    assert store.usage() == (0, 0)


@pytest.mark.parametrize(("off", "left"), [(1800, 1), (3700, 0), (-10_000_000, 1)])
def test_while_the_machine_is_off_the_wall_clock_counts(store, monkeypatch, off, left):
    keep(store, "before")
    store.sweep()
    monkeypatch.setattr(clock, "_boot", lambda: "another")
    monkeypatch.setattr(clock, "_uptime", lambda: 1.0)
    pass_time(monkeypatch, off, uptime=False)
    store.sweep()
    assert store.usage()[0] == left
    pass_time(monkeypatch, 3601)
    store.sweep()
    assert store.usage() == (0, 0)


def test_records_from_the_future_do_not_stay_for_ever(store, monkeypatch):
    keep(store, "one")
    with store._index.transaction() as connection:
        connection.execute("UPDATE record SET created = created + 1e9")
    store.sweep()
    pass_time(monkeypatch, 3601)
    assert store.sweep() == 1


def test_without_a_boot_id_the_wall_clock_has_to_do(store, monkeypatch):
    monkeypatch.setattr(clock, "_boot", lambda: "")
    keep(store, "one")
    store.sweep()
    pass_time(monkeypatch, 3601, uptime=False)
    assert store.sweep() == 1


# many at once


def test_many_threads_while_the_index_is_lost_again_and_again(store):
    """Each call ends, and what it raises is a problem."""
    faults = []

    def use(number):
        own = Store(store.folder, 10_000_000, 3600)
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
