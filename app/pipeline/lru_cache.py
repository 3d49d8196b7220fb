"""A cache for what was computed from recent pictures: decoded images, model inputs, logits."""

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
    """A cache with a limit in bytes; the least recently used values are removed first.

    `maxsize` is the limit, `currsize` the bytes in use. Not thread-safe.
    """

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, getsizeof=lambda entry: entry.bytes)

    def recall(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The value of `key`. If it is not cached, `make` computes it; it is cached unless it is larger than the limit.

        `size` returns a value's bytes.
        """
        entry = self.get(key)
        if entry is None:
            value = make()
            entry = _Entry(value, size(value))
            with suppress(ValueError):  # larger than the whole cache: not kept
                self[key] = entry
        return entry.value  # type: ignore[no-any-return]
