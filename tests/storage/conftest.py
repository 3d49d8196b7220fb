"""A store with room for 10 MB and an hour."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradoscope.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", max_bytes=10_000_000, max_age=3600)
