"""Methods and metrics as the pages show them: what their folders hold, and what the worker tells of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, FunctionLoader
from markupsafe import Markup

from ..attribution.plugins import Kind
from ..contract.wire import JsonObject
from ..pipeline.presentation import FALLBACK, KINDS, Presentation, presentations
from ..pipeline.texts import texts
from ..settings import shipped

Record = Mapping[str, Any]  # of a method or a metric, as GET /methods and GET /metrics have it
UNPLACED = 99  # a section that names no place comes behind those that do


@dataclass(frozen=True)
class PluginPage:
    """One method or metric on the page /methods or /trust; `record` is empty while the worker is starting."""

    presentation: Presentation
    record: Record = field(default_factory=dict)
    anchors: tuple[str, ...] = ()  # other ids whose links lead to this section

    @property
    def id(self) -> str:
        return self.presentation.id

    @property
    def title(self) -> str:
        """What it calls itself in English; its id where nobody knows."""
        return str(self._said("title") or self.id)

    @property
    def summary(self) -> str:
        return str(self._said("summary") or "")

    @property
    def year(self) -> int | None:
        year: int | None = self._said("year")
        return year

    @cached_property
    def about(self) -> JsonObject:
        return self.presentation.about

    @property
    def name(self) -> str | None:
        """As papers call it; beside a translated title."""
        name: str | None = self.about.get("name")
        return name

    @property
    def papers(self) -> list[Record]:
        """With their authors where its folder names them; else the one that it declares."""
        declared = self.record.get("paper")
        return self.about.get("papers") or ([declared] if declared else [])

    @cached_property
    def facts(self) -> JsonObject:
        return self.presentation.facts

    @property
    def has_figure(self) -> bool:
        return self.presentation.template("figure") is not None and self.presentation.asset("figure.js") is not None

    def _said(self, name: str) -> Any:
        return self.record.get(name, self.presentation.declared.get(name))


def method_pages(records: Iterable[Record] | None) -> dict[str, list[PluginPage]]:
    """The methods of /methods: `sections`, which have the words for one, and short `entries`."""
    pages = _pages("methods", records)
    whole = {page.id for page in pages if f"learn.{page.id}.asks" in texts(FALLBACK)}
    return {
        "sections": [page for page in pages if page.id in whole],
        "entries": [page for page in pages if page.id not in whole],
    }


def metric_pages(records: Iterable[Record] | None) -> dict[str, list[PluginPage]]:
    """The `sections` of /trust; a metric may share another's."""
    pages = _pages("metrics", records)
    shared: dict[str, list[str]] = {}
    for page in pages:
        if "section_of" in page.about:
            shared.setdefault(page.about["section_of"], []).append(page.id)
    own = [page for page in pages if "section_of" not in page.about]
    own.sort(key=lambda page: (page.about.get("section", UNPLACED), page.id))
    return {"sections": [PluginPage(page.presentation, page.record, tuple(shared.get(page.id, ()))) for page in own]}


def previews() -> list[Presentation]:
    """The methods that are computed unless others are named, on the page's first visit."""
    return [one for one in presentations("methods").values() if one.default]


def plugin_block() -> Markup:
    """What the workbench's scripts know of methods and metrics before the server tells: ids in order, as JSON."""
    measured = presentations("metrics").values()
    metrics = [{"id": one.id, "figure": one.asset("figure.js") is not None} for one in measured]
    data = json.dumps({"methods": [one.id for one in previews()], "metrics": metrics}, separators=(",", ":"))
    return Markup(f'<script type="application/json" id="plugins">{data}</script>')  # ids hold nothing that ends it


def template_loader() -> BaseLoader:
    """The templates that ship, and those of plug-ins as plugins/KIND/ID/NAME.html."""
    return ChoiceLoader([FileSystemLoader(shipped("templates")), FunctionLoader(_plugin_template)])


def _plugin_template(name: str) -> str | None:
    match name.removesuffix(".html").split("/"):
        case ["plugins", ("methods" | "metrics") as kind, id, part] if id in presentations(kind):
            file = presentations(kind)[id].template(part)
            return file.read_text("utf-8") if file is not None else None
    return None


def asset_folders() -> dict[str, Path]:
    """The folders that browsers fetch from, by their place: KIND/ID."""
    found = {}
    for kind in KINDS:
        for id, one in presentations(kind).items():
            folder = one.folder / "static" if one.folder is not None else None
            if folder is not None and folder.is_dir():
                found[f"{kind}/{id}"] = folder
    return found


def _pages(kind: Kind, records: Iterable[Record] | None) -> list[PluginPage]:
    """All of a kind in order; without those that the worker does not have, once it has told."""
    if records is None:
        return [PluginPage(one) for one in presentations(kind).values()]
    known = {record["id"]: record for record in records}
    return [PluginPage(one, known[id]) for id, one in presentations(kind).items() if id in known]
