"""Names of classes, and the search in them."""

from __future__ import annotations

from functools import cache


@cache
def read_labels(source: str, classes: int) -> tuple[str, ...]:
    """The labels of a card: `imagenet-1k` (timm's ImageNetInfo), or numbers where a card has none."""
    if source == "imagenet-1k" and classes == 1000:
        from timm.data.imagenet_info import ImageNetInfo  # imports torch: only the worker does

        info = ImageNetInfo()
        return tuple(info.index_to_description(index) for index in range(classes))
    return tuple(f"class {index}" for index in range(classes))


def search(labels: tuple[str, ...], query: str, limit: int) -> list[tuple[int, str]]:
    """Classes that match `query`, best first: by index, equal, a word equal, a word's beginning, anywhere."""
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
