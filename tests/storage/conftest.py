"""A store that keeps 10 MB for an hour; fsspec's in-memory file system, made safe for several threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from gradoscope.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", max_bytes=10_000_000, max_age=3600)


class _Files(dict[str, Any]):
    """The files of fsspec's in-memory file system, safe for several threads.

    It lists them by a loop over the dictionary. Before Python 3.12 the garbage collector may run within that loop, and
    let another thread change the dictionary; a copy is made in a single step.
    """

    def items(self) -> Any:
        return self.copy().items()


@pytest.fixture(autouse=True)
def threads_may_share_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryFileSystem, "store", _Files(MemoryFileSystem.store))
