"""What is kept, what goes, and what is made again."""

from __future__ import annotations

import pytest
from gradoscope.pipeline.lru_cache import LRUCache


def recall(recent, key, size=10):
    """Whether it had to be made; its value is its key."""
    made = []
    assert recent.recall(key, lambda: made.append(key) or key, lambda value: size) == key
    return bool(made)


def test_what_was_made_is_not_made_again():
    recent = LRUCache(100)
    assert [recall(recent, key) for key in ("a", "b", "a", "b")] == [True, True, False, False]


def test_the_least_recently_used_goes_first():
    recent = LRUCache(30)
    for key in ("a", "b", "c", "a", "d"):  # `a` was used again, so `b` goes
        recall(recent, key)
    assert recent.currsize == 30
    assert [recall(recent, key) for key in ("c", "a", "d", "b")] == [False, False, False, True]


def test_what_is_larger_than_the_cap_is_made_each_time_and_drives_nothing_out():
    recent = LRUCache(30)
    recall(recent, "small")
    assert [recall(recent, "large", 31) for _ in range(2)] == [True, True]
    assert not recall(recent, "small")
    assert recent.currsize == 10


def test_a_large_one_drives_out_as_many_as_it_must():
    recent = LRUCache(30)
    for key in ("a", "b", "c"):
        recall(recent, key)
    recall(recent, "large", 25)
    assert recent.currsize == 25
    assert all(recall(recent, key, 1) for key in ("a", "b", "c"))


def test_nothing_is_left_of_what_was_cleared():
    recent = LRUCache(30)
    recall(recent, "a")
    recent.clear()
    assert recent.currsize == 0
    assert recall(recent, "a")


def test_what_could_not_be_made_is_tried_again():
    recent = LRUCache(30)
    with pytest.raises(ZeroDivisionError):
        recent.recall("a", lambda: 1 // 0, lambda value: 1)
    assert recent.currsize == 0
    assert recall(recent, "a")
