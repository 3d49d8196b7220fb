"""The cache with a cap of bytes: what is kept, what is evicted, and what is made again."""

from __future__ import annotations

import pytest
from gradoscope.pipeline.lru_cache import LRUCache


def recall(cache, key, size=10):
    """Whether the value had to be made anew; it is the key itself."""
    made = []
    assert cache.recall(key, lambda: made.append(key) or key, lambda value: size) == key
    return bool(made)


def test_what_was_made_is_not_made_again():
    cache = LRUCache(100)
    assert [recall(cache, key) for key in ("a", "b", "a", "b")] == [True, True, False, False]


def test_the_least_recently_used_goes_first():
    cache = LRUCache(30)
    for key in ("a", "b", "c", "a", "d"):  # `a` was used again, so `b` goes
        recall(cache, key)
    assert cache.currsize == 30
    assert [recall(cache, key) for key in ("c", "a", "d", "b")] == [False, False, False, True]


def test_what_is_larger_than_the_cap_is_not_kept_and_evicts_nothing():
    cache = LRUCache(30)
    recall(cache, "small")
    assert [recall(cache, "large", 31) for _ in range(2)] == [True, True]
    assert not recall(cache, "small")
    assert cache.currsize == 10


def test_a_large_one_evicts_as_many_as_it_must():
    cache = LRUCache(30)
    for key in ("a", "b", "c"):
        recall(cache, key)
    recall(cache, "large", 25)
    assert cache.currsize == 25
    assert all(recall(cache, key, 1) for key in ("a", "b", "c"))


def test_nothing_is_left_of_what_was_cleared():
    cache = LRUCache(30)
    recall(cache, "a")
    cache.clear()
    assert cache.currsize == 0
    assert recall(cache, "a")


def test_what_could_not_be_made_is_tried_again():
    cache = LRUCache(30)
    with pytest.raises(ZeroDivisionError):
        cache.recall("a", lambda: 1 // 0, lambda value: 1)
    assert cache.currsize == 0
    assert recall(cache, "a")
