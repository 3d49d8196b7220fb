"""What people see of a method or a metric, read from its folder without importing it.

Beside the code, all of it optional:

- `texts/LANGUAGE.json`: its words, by short keys (`title`, `summary`, `parameter.NAME`, `finding.CODE` …). Where a
  language has no file, or lacks a key, English stands in.
- `about.json`: what no language changes: `papers`, the `name` that papers give it, its `section` in the guide, and the
  address of the experiment of the `lab` that asks the same.
- `facts.json`: numbers for the captions of its figure.
- `templates/formula.html`, `templates/figure.html`: parts of its section in the pages /methods and /trust.
- `static/`: what a browser fetches, at /static/plugins/KIND/ID/: `figure.js` and its data, `map.webp`, `preview.webp`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..attribution.plugins import DEFAULT_ORDER, Kind, Plugin, plugins
from ..contract.wire import JsonObject

log = logging.getLogger(__name__)
FALLBACK = "en"  # the language that stands in where another one has no text
KINDS: tuple[Kind, ...] = ("methods", "metrics")


@dataclass(frozen=True)
class Presentation:
    """What people see of one method or metric."""

    kind: Kind
    id: str
    folder: Path | None
    declared: Mapping[str, Any] = field(default_factory=dict)  # attributes that its class sets to literals, by name

    @property
    def year(self) -> int | None:
        year: int | None = self.declared.get("year")
        return year

    @property
    def default(self) -> bool:
        return bool(self.declared.get("default", False))

    @property
    def rank(self) -> tuple[int, int, str]:
        """Its place among its kind: methods by their year, metrics by their `order`."""
        if self.kind == "methods":
            return self.year or 9999, self.declared.get("order", 0), self.id
        return 0, self.declared.get("order", DEFAULT_ORDER), self.id

    @property
    def about(self) -> JsonObject:
        return self._json("about.json")

    @property
    def facts(self) -> JsonObject:
        return self._json("facts.json")

    def texts(self, language: str) -> dict[str, str]:
        """Its words by the keys of the pages; English where the language has none."""
        short = {**self._json(f"texts/{FALLBACK}.json"), **self._json(f"texts/{language}.json")}
        return {key: text for name, text in short.items() for key in _keys(self.kind, self.id, name, short)}

    def template(self, name: str) -> Path | None:
        return self._file(f"templates/{name}.html")

    def asset(self, name: str) -> Path | None:
        """A file that browsers fetch."""
        return self._file(f"static/{name}")

    def _file(self, name: str) -> Path | None:
        file = self.folder / name if self.folder is not None else None
        return file if file is not None and file.is_file() else None

    def _json(self, name: str) -> JsonObject:
        file = self._file(name)
        try:
            found = json.loads(file.read_text("utf-8")) if file is not None else {}
        except (OSError, ValueError) as error:
            log.error("%s of «%s» cannot be read: %s", name, self.id, error)
            return {}
        return found if isinstance(found, dict) else {}


@cache
def presentations(kind: Kind) -> Mapping[str, Presentation]:
    """All presentations of a kind by their ids, in the order of `rank`. If two have the same id, the first counts."""
    found: dict[str, Presentation] = {}
    for plugin in plugins(kind):
        found.setdefault(plugin.id, _presentation(kind, plugin))
    return {one.id: one for one in sorted(found.values(), key=lambda one: one.rank)}


def _presentation(kind: Kind, plugin: Plugin) -> Presentation:
    return Presentation(kind, plugin.id, plugin.folder, plugin.declared())


def _keys(kind: Kind, id: str, name: str, names: Mapping[str, str]) -> Iterator[str]:
    """The keys of the pages that a short key stands for."""
    first, _, rest = name.partition(".")
    match (kind, first):
        case ("methods", "title"):
            yield f"method.{id}"
            if "page.title" not in names:
                yield f"learn.{id}.title"
        case ("methods", "page"):
            yield f"learn.{id}.{rest}"
        case ("methods", "bright"):  # what a bright pixel means
            yield f"method.bright.{id}"
        case ("methods", "summary"):
            yield f"catalogue.summary.{id}"
        case ("methods", "parameter" | "read"):
            yield f"learn.{first}.{id}.{rest}".rstrip(".")
        case ("methods", _):
            yield f"learn.{id}.{name}"
        case (_, "title"):
            yield f"trust.metric.{id}"
        case (_, "finding"):
            yield f"trust.finding.{id}_{rest}"
        case (_, "guide"):
            yield f"guide.{id}.{rest}"
        case _:  # summary, setting.NAME, figure.…
            yield f"trust.{first}.{id}.{rest}".rstrip(".")
