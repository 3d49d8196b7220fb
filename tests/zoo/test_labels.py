"""Names of classes, and the search in them."""

from __future__ import annotations

import pytest
from gradoscope.zoo.labels import read_labels, search

IMAGENET = read_labels("imagenet-1k", 1000)


def test_imagenet() -> None:
    assert len(IMAGENET) == 1000
    assert "tench" in IMAGENET[0]
    assert "tabby" in IMAGENET[281]
    assert "Egyptian cat" in IMAGENET[285]
    assert "espresso" in IMAGENET[967]
    assert "toilet" in IMAGENET[999]


@pytest.mark.parametrize(("source", "classes"), [("none", 3), ("imagenet-1k", 3)])
def test_numbers_where_there_are_no_names(source: str, classes: int) -> None:
    assert read_labels(source, classes) == ("class 0", "class 1", "class 2")


@pytest.mark.parametrize(
    ("query", "best"),
    [("tabby", 281), ("Egyptian  CAT", 285), ("espresso", 967), ("0", 0), ("281", 281), ("goldfish", 1), ("tench", 0)],
)
def test_best_match_comes_first(query: str, best: int) -> None:
    assert search(IMAGENET, query, 5)[0] == (best, IMAGENET[best])


def test_search() -> None:
    labels = ("cattle", "big cat", "cat", "scatter", "dog", "cat, house")
    assert [index for index, _ in search(labels, "cat", 9)] == [2, 5, 1, 0, 3]
    assert search(labels, "cat", 2) == [(2, "cat"), (5, "cat, house")]
    assert search(labels, " ", 2) == [(0, "cattle"), (1, "big cat")]
    assert search(labels, "zebra", 5) == []
    assert [index for index, _ in search(labels, "4", 5)] == [4]
