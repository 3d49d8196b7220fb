"""Labels of classes, and a search in them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from .cards import Card, CardError


def read_labels(card: Card) -> tuple[str, ...]:
    """The labels of a card: `imagenet-1k`, a list, a file beside it, or numbers if it only has the number of classes.

    A file is .txt (a label a line) or .json (a list, or an object by index). Raises `CardError`.
    """
    if card.labels is None:
        if card.classes is None:
            raise CardError(f"{card.file}: say `labels` (a list or a file) or `classes` (how many).")
        return numbered(card.classes)
    if isinstance(card.labels, tuple):
        labels = card.labels
    elif card.labels == "imagenet-1k":
        labels = imagenet(1000) or ()
    else:
        labels = _read_file(card, card.labels)
    if not labels:
        raise CardError(f"{card.file}: labels: there is none.")
    if card.classes is not None and len(labels) != card.classes:
        raise CardError(f"{card.file}: there are {len(labels)} labels for {card.classes} classes.")
    return labels


def numbered(classes: int) -> tuple[str, ...]:
    return tuple(f"class {index}" for index in range(classes))


@cache
def imagenet(classes: int) -> tuple[str, ...] | None:
    """The labels of ImageNet, or of its subset with so many classes; None if there is no such subset."""
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset  # imports torch: only for the worker

    subset = infer_imagenet_subset({"num_classes": classes})
    if subset is None:
        return None
    info = ImageNetInfo(subset)
    return tuple(info.index_to_description(index) for index in range(classes))


def _read_file(card: Card, name: str) -> tuple[str, ...]:
    path = card.folder / name
    if path.suffix not in (".txt", ".json"):
        raise CardError(f"{card.file}: labels: {name} is neither .txt (a label a line) nor .json.")
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix == ".json":
            return _from_json(json.loads(text))
    except OSError as error:
        raise CardError(f"{card.file}: labels: {name} cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CardError(
            f"{card.file}: labels: {name} is neither a JSON list nor an object by index ({str(error)[:100]})."
        ) from error
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if "" in lines:
        raise CardError(f"{card.file}: labels: line {lines.index('') + 1} of {name} is empty; each line is a class.")
    return tuple(lines)


def _from_json(given: Any) -> tuple[str, ...]:
    """Labels from a list, or from an object from index to label (or label to index, as ImageFolder's class_to_idx).

    If an entry is a list, its last string is the label (`["n01440764", "tench"]`).
    """
    if isinstance(given, dict) and given and all(isinstance(index, int) for index in given.values()):
        given = {str(index): label for label, index in given.items()}
    entries = given if isinstance(given, list) else [given[str(index)] for index in range(len(given))]
    return tuple(str(entry[-1]) if isinstance(entry, list) else str(entry) for entry in entries)


def search(labels: tuple[str, ...], query: str, limit: int) -> list[tuple[int, str]]:
    """Classes that match `query`, best first: same index, same name, a whole word, a word's beginning, anywhere."""
    query = " ".join(query.lower().split())
    if not query:
        return list(enumerate(labels))[:limit]
    ranked = []
    for index, label in enumerate(labels):
        rank = 0 if query == str(index) else _rank(label.lower(), query)
        if rank is not None:
            ranked.append((rank, len(label), index, label))
    return [(index, label) for _, _, index, label in sorted(ranked)[:limit]]


def _rank(label: str, query: str) -> int | None:
    names = [name.strip() for name in label.split(",")]
    words = label.replace(",", " ").split()
    if query in names:
        return 1
    if query in words:
        return 2
    if label.startswith(query):
        return 3
    if any(word.startswith(query) for word in words):
        return 4
    if query in label:
        return 5
    return None
