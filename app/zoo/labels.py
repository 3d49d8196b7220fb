"""Labels of classes, and a search in them."""

from __future__ import annotations

import codecs
import difflib
import importlib
import json
import sys
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from ..contract.parsing import SURROGATE
from .cards import Card, CardError

MAX_COMPARED = 2000  # labels that are searched for near ones: a request may name many classes
CONFIG_KEYS = ("id2label", "label2id", "label_names")
UNUSED_IN_CP1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")


def read_labels(card: Card) -> tuple[str, ...]:
    """The labels of a card: `imagenet-1k`, a list, a file beside it, or numbers if it only has the number of classes.

    A file is .txt (a label a line) or .json (a list, an object by index, or a config.json of Hugging Face). Raises
    `CardError`.
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
    if any(SURROGATE.search(label) for label in labels):
        raise CardError(f"{card.file}: labels: one holds half of a surrogate pair, which is no text.")
    if card.classes is not None and len(labels) != card.classes:
        raise CardError(f"{card.file}: there are {len(labels)} labels for {card.classes} classes.")
    return labels


def numbered(classes: int) -> tuple[str, ...]:
    return tuple(f"class {index}" for index in range(classes))


@cache
def imagenet(classes: int) -> tuple[str, ...] | None:
    """The labels of ImageNet, or of its subset with so many classes; None if there is no such subset."""
    timms = _timm_labels()
    subset = timms.infer_imagenet_subset({"num_classes": classes})
    if subset is None:
        return None
    info = timms.ImageNetInfo(subset)
    return tuple(info.index_to_description(index) for index in range(classes))


@lru_cache(maxsize=8)
def synsets(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The WordNet ids of these classes, such as n02123045, if they are those of ImageNet or of a subset, as timm or
    torchvision names them; else none."""
    subset = _timm_labels().infer_imagenet_subset({"num_classes": len(labels)})
    if subset is None or not _are_imagenet(labels, imagenet(len(labels)) or ()):
        return ()
    return tuple(_timm_labels().ImageNetInfo(subset).label_names())


def _are_imagenet(labels: tuple[str, ...], known: tuple[str, ...]) -> bool:
    """Whether each label is that of ImageNet's class at its place, or the first of its names. torchvision names two of
    the 1000 classes otherwise: one of two cranes, and one of two swimsuits."""
    differing = (label for label, full in zip(labels, known, strict=True) if label not in (full, _names(full)[0]))
    return set(differing) <= {"crane bird", "maillot tank suit"}


@cache
def _timm_labels() -> ModuleType:
    """`timm.data.imagenet_info`. Where timm is not imported yet, it is loaded without the packages around it: they
    import all of timm's networks, which takes two seconds, and a model that is not timm's needs none of them."""
    spec = find_spec("timm")
    if "timm" not in sys.modules and spec is not None and spec.origin is not None:
        package = ModuleType(f"{__name__}.timm_data")
        package.__path__ = [str(Path(spec.origin).parent / "data")]
        sys.modules[package.__name__] = package
        with suppress(ImportError):  # a later timm, whose module needs the packages around it
            return importlib.import_module(f"{package.__name__}.imagenet_info")
    return importlib.import_module("timm.data.imagenet_info")


def _read_file(card: Card, name: str) -> tuple[str, ...]:
    path = card.folder / name
    if path.suffix not in (".txt", ".json"):
        raise CardError(f"{card.file}: labels: {name} is neither .txt (a label a line) nor .json.")
    try:
        text = _text(path.read_bytes())
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


def _text(data: bytes) -> str:
    """Text in UTF-8, or in UTF-16 with a byte order mark; else in Windows' Latin alphabet, which nearly is Latin-1."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252" if not set(data) & UNUSED_IN_CP1252 else "latin-1")


def _from_json(given: Any) -> tuple[str, ...]:
    """Labels from a list, or from an object from index to label (or label to index, as ImageFolder's class_to_idx).

    A `config.json` of Hugging Face has that object as `id2label` or `label2id`, timm's has a list `label_names`.
    If an entry is a list, its last string is the label (`["n01440764", "tench"]`).
    """
    if isinstance(given, dict):
        described = given.get("label_descriptions")
        given = next((given[key] for key in CONFIG_KEYS if isinstance(given.get(key), (dict, list))), given)
        if isinstance(given, list) and isinstance(described, dict):
            given = [described.get(name, name) for name in given]
    if isinstance(given, dict) and given and all(isinstance(index, int) for index in given.values()):
        given = {str(index): label for label, index in given.items()}
    entries = given if isinstance(given, list) else [given[str(index)] for index in range(len(given))]
    return tuple(str(entry[-1]) if isinstance(entry, list) else str(entry) for entry in entries)


def search(
    labels: tuple[str, ...], query: str, limit: int, names: Iterable[tuple[str, ...]] = ()
) -> list[tuple[int, str]]:
    """Classes that match `query`, best first: same index, same name, a whole word, a word's beginning, anywhere.

    `names` are further names of the same classes, such as those in other languages; whichever fits best counts.
    """
    query = " ".join(query.lower().split())
    if not query:
        return list(enumerate(labels))[:limit]
    ranked = []
    for index, several in enumerate(zip(labels, *names, strict=True)):
        if query == str(index):
            ranked.append((0, 0, index))
            continue
        found = [(rank, len(text)) for text in several if (rank := _rank(text.lower(), query)) is not None]
        if found:
            ranked.append((*min(found), index))
    return [(index, labels[index]) for _, _, index in sorted(ranked)[:limit]]


def classes_named(labels: tuple[str, ...], name: str) -> list[int]:
    """The classes of that label: written exactly so, else in other capitals, else as one of a label's several names."""
    folded = _folded(name)
    whole, names = _index(labels)
    same = whole.get(folded, [])
    return [index for index in same if labels[index] == name] or list(same) or list(names.get(folded, ()))


@lru_cache(maxsize=8)
def _index(labels: tuple[str, ...]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Classes by their label, and by each of its names; both in small letters."""
    whole: dict[str, list[int]] = {}
    names: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        folded = _folded(label)
        whole.setdefault(folded, []).append(index)
        for name in dict.fromkeys(_names(folded)):
            names.setdefault(name, []).append(index)
    return whole, names


def similar_classes(labels: tuple[str, ...], name: str, limit: int = 5) -> list[tuple[int, str]]:
    """Classes whose label holds `name`, or else is spelt much like it; none if there are too many labels."""
    if len(labels) > MAX_COMPARED:
        return []
    found = search(labels, name, limit)
    folded = [label.casefold() for label in labels]
    close = [] if found else difflib.get_close_matches(name.casefold(), folded, limit)
    return found or [(folded.index(label), labels[folded.index(label)]) for label in close]


def _folded(label: str) -> str:
    """A label in small letters, with single spaces, and each accent in one character with its letter."""
    return " ".join(unicodedata.normalize("NFC", label).casefold().split())


def _names(label: str) -> list[str]:
    return [name.strip() for name in label.split(",")]


def _rank(label: str, query: str) -> int | None:
    words = label.replace(",", " ").split()
    if query in _names(label):
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
