"""Names of classes in other languages than their labels, LANGUAGE.tsv: a label and its names, a line each.

The lines are ImageNet's classes, in order. The names are our own translation, so they are under the same licence as the
code.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def languages() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in FOLDER.glob("*.tsv")))


@cache
def _lines(language: str) -> tuple[tuple[str, str], ...]:
    lines = (FOLDER / f"{language}.tsv").read_text("utf-8").splitlines()
    return tuple((label, names) for label, _, names in (line.partition("\t") for line in lines))


@lru_cache(maxsize=32)
def names_of(labels: tuple[str, ...], language: str) -> tuple[str, ...]:
    """Names of these classes in a language, the usual one first; empty where none is known.

    Two classes of one label, as ImageNet's two cranes, are told apart by their place.
    """
    if language not in languages():
        return ("",) * len(labels)
    lines = _lines(language)
    known: dict[str, str] = {}
    for label, names in lines:
        known[label] = "" if label in known else names
    placed = [lines[i][1] if i < len(lines) and lines[i][0] == label else "" for i, label in enumerate(labels)]
    return tuple(at or known.get(label, "") for at, label in zip(placed, labels, strict=True))


def first_name(names: str) -> str:
    """The usual one of several names."""
    return names.partition(",")[0].strip()
