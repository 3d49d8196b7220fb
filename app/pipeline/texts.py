"""Texts by language: flat keys → text with {names}.

They stand in static/texts/LANGUAGE/*.json, those of a method or a metric in its own folder (`presentation`), and those
of an experiment of the lab in its own too (`lab.wording`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from ..contract.parsing import unique_names
from ..lab.wording import all_worded, words
from ..settings import shipped
from .presentation import FALLBACK, KINDS, presentations

PLACEHOLDER = re.compile(r"\{(\w+)\}")
# The part (see `parts`) that a text of a method or metric belongs to, by the beginning of its key; the first match
# counts.
PARTS = {
    "method.": "page",
    "catalogue.": "catalogue",
    "learn.parameter.": "dialogs",
    "learn.": "learn",
    "guide.": "guide",
    "trust.finding.": "findings",
    "trust.": "measuring",
}
WORKBENCH = ("page", "previous")  # the parts that the workbench needs at once; `dialogs` comes after it


@cache
def texts(language: str) -> Mapping[str, str]:
    """All texts of a language. Raises `ValueError` where two of its files share a key."""
    return MappingProxyType(unique_names(item for part in parts(language).values() for item in part.items()))


@cache
def parts(language: str) -> Mapping[str, Mapping[str, str]]:
    """The texts of a language by part: the name of their file, which scripts fetch whole.

    Each experiment of the lab is a part, `lab_ID`, whose keys begin with `lab.ID.`; so is the report of a run, `run`.
    """
    files = sorted((shipped("static") / "texts" / language).glob("*.json"))
    found = {file.stem: list(_file(file).items()) for file in files}
    for kind in KINDS:
        for presentation in presentations(kind).values():
            for key, text in presentation.texts(language).items():
                part = next(part for start, part in PARTS.items() if key.startswith(start))
                found.setdefault(part, []).append((key, text))
    for id, one in all_worded().items():
        found[f"lab_{id}"] = [(f"lab.{id}.{name}", text) for name, text in words(one, language).items()]
    return MappingProxyType({part: unique_names(pairs) for part, pairs in found.items()})


@cache
def workbench_keys() -> frozenset[str]:
    """The keys of the texts of the workbench."""
    return frozenset(key for part in WORKBENCH for key in parts(FALLBACK)[part])


def _file(file: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(file.read_text("utf-8"), object_pairs_hook=unique_names)
    return found
