"""Disks that are full or read-only.

A small file system of its own is mounted where that is allowed; else errors come from the system by limits of the
process and permissions, or are put in at the calls.
"""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from gradoscope.contract.problems import NotStored, StorageFull
from gradoscope.storage import index
from gradoscope.storage.store import Store

from tests.support.store_files import MAGIC, blobs, keep

NOBODY = 65534


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
    store = Store(small_disk / "store", max_bytes=10_000_000, max_age=3600)
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
    store = Store(public / "store", max_bytes=10_000_000, max_age=3600)
    keep(store, "one")
    if not opened:
        store.close()
    with write_protected(store.folder):
        later = Store(store.folder, max_bytes=10_000_000, max_age=3600)
        assert later.load("one") == {"label": "label of one"}
        assert later.read("one", "source") == MAGIC
        assert later.load("none") is None
        for change in (
            lambda: keep(later, "two", b"two"),
            lambda: later.update("one", {}),
            lambda: later.forget("one"),
            lambda: later.clean_up(),
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
        store = Store(public / "store", max_bytes=10_000_000, max_age=3600)
        with pytest.raises(NotStored):
            store.create("one", {})
        with pytest.raises(NotStored):
            store.key("x")  # the first hash for a blob's name creates the file with the secret
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
