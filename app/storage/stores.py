"""Opens the store that the settings name: one of this machine, or one that several servers share."""

from __future__ import annotations

from pathlib import Path

from ..settings import Settings
from .object_store import FsspecObjectStore, LocalObjectStore
from .shared_store import SharedStore
from .store import Store

AnyStore = Store | SharedStore
DAY = 86400


def open_store(settings: Settings) -> AnyStore:
    """The store at `settings.store`: a path is a folder with an index, a URL is a shared store."""
    if isinstance(settings.store, Path):
        return Store(settings.store, settings.store_bytes, settings.store_days * DAY, settings.deadline)
    scheme, _, path = settings.store.partition("://")
    objects = LocalObjectStore(Path(path)) if scheme == "file" else FsspecObjectStore(settings.store)
    return SharedStore(objects, settings.store_bytes, settings.store_days * DAY, settings.deadline)
