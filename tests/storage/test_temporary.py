"""Temporary folders: deleted by their process, or by the next one if that was killed."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
from gradoscope.storage import temporary
from gradoscope.storage.store import Store
from gradoscope.storage.temporary import temporary_folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def kill_a_process_that_uses_one() -> None:
    """A process makes a temporary folder with a store, and is killed."""
    child = os.fork()
    if child == 0:
        try:
            context = temporary_folder()
            Store(context.__enter__(), max_bytes=10**6, max_age=60).create("r", {"status": "running"})
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def test_a_folder_is_there_for_as_long_as_its_context(place: Path) -> None:
    with temporary_folder() as one, temporary_folder() as two:
        assert one != two
        assert one.is_dir()  # the second did not delete it as a leftover
        Store(two, max_bytes=10**6, max_age=60).create("r", {})
    assert list(place.iterdir()) == []


def test_what_a_killed_process_has_left_is_deleted_by_the_next_one(place: Path) -> None:
    kill_a_process_that_uses_one()
    (left,) = place.iterdir()
    assert (left / "blobs").is_dir()
    with temporary_folder() as folder:
        assert list(place.iterdir()) == [folder]


def test_only_leftovers_are_deleted(place: Path) -> None:
    """The store of a server that was killed, one that is being made, one of an earlier version."""
    store = Store(place / f"{temporary.PREFIX}store", max_bytes=10**6, max_age=60)
    store.create("r", {"status": "running"})
    (runner,) = (store.folder / "runners").iterdir()
    store.close()
    runner.touch()  # as SIGKILL leaves it
    unfinished = place / f"{temporary.PREFIX}unfinished" / temporary.OWNER / "runners"
    unfinished.mkdir(parents=True)
    (unfinished / "0a.part").touch()
    (place / f"{temporary.PREFIX}old" / "blobs").mkdir(parents=True)
    before = sorted(place.iterdir())
    with temporary_folder():
        pass
    assert sorted(place.iterdir()) == before
    assert store.load("r") == {"status": "running"}
