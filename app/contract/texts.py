"""Texts by language, static/texts/<language>/*.json: flat keys → text with {names}."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from ..settings import shipped

FALLBACK = "en"
NAME = re.compile(r"\{(\w+)\}")


@cache
def texts(language: str) -> Mapping[str, str]:
    """All texts of a language: its files merged. Raises `ValueError` where two of them share a key."""
    merged: dict[str, str] = {}
    for file in sorted((shipped("static") / "texts" / language).glob("*.json")):
        merged = _unique([*merged.items(), *_file(file).items()])
    return MappingProxyType(merged)


def _file(file: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(file.read_text("utf-8"), object_pairs_hook=_unique)
    return found


@cache
def workbench_keys() -> frozenset[str]:
    """The keys of page.json, the texts of the workbench."""
    return frozenset(_file(shipped("static") / "texts" / FALLBACK / "page.json"))


def _unique(pairs: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the text «{key}» is there twice")
        found[key] = value
    return found
