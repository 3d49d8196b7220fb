"""What was lately made of pictures: asked for again, it is not made again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import cachetools

T = TypeVar("T")


@dataclass(frozen=True)
class _Entry:
    value: Any
    bytes: int


class LRUCache(cachetools.LRUCache[Hashable, _Entry]):
    """Values by key, under a cap of bytes (`maxsize`; `currsize` are taken); the least recently used goes first.

    For one thread.
    """

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, getsizeof=lambda entry: entry.bytes)

    def recall(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The value of `key`, made now where it is not there; kept where its `size` in bytes allows it."""
        entry = self.get(key)
        if entry is None:
            value = make()
            entry = _Entry(value, size(value))
            with suppress(ValueError):  # larger than all of the cache
                self[key] = entry
        return entry.value  # type: ignore[no-any-return]
