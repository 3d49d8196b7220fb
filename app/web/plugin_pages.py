"""Methods and metrics as the HTML pages show them: content of their folders, with their records from the worker."""

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
from .lab_pages import lab_template

Record = Mapping[str, Any]  # a method or a metric as GET /methods and GET /metrics return it
LAST_SECTION = 99  # position of a section whose about.json gives none


@dataclass(frozen=True)
class PluginPage:
    """One method or metric on the page /methods or /trust; `record` is empty while the worker is starting."""

    presentation: Presentation
    record: Record = field(default_factory=dict)
    anchors: tuple[str, ...] = ()  # ids of other metrics that are described in this section

    @property
    def id(self) -> str:
        return self.presentation.id

    @property
    def title(self) -> str:
        """The English title that it declares; its id if none is known."""
        return str(self._declared("title") or self.id)

    @property
    def summary(self) -> str:
        return str(self._declared("summary") or "")

    @property
    def year(self) -> int | None:
        year: int | None = self._declared("year")
        return year

    @cached_property
    def about(self) -> JsonObject:
        return self.presentation.about

    @property
    def name(self) -> str | None:
        """Its name in papers, which the page shows beside a translated title."""
        name: str | None = self.about.get("name")
        return name

    @property
    def papers(self) -> list[Record]:
        """The papers of its about.json, with their authors; else the one paper that its class declares."""
        declared = self.record.get("paper")
        return self.about.get("papers") or ([declared] if declared else [])

    @cached_property
    def facts(self) -> JsonObject:
        return self.presentation.facts

    @property
    def has_figure(self) -> bool:
        return self.presentation.template("figure") is not None and self.presentation.asset("figure.js") is not None

    def _declared(self, name: str) -> Any:
        """An attribute that its class declares: from the worker's record, else read from the source code."""
        return self.record.get(name, self.presentation.declared.get(name))


def method_pages(records: Iterable[Record] | None) -> dict[str, list[PluginPage]]:
    """The methods of the page /methods: `sections` for those with a text of their own, short `entries` for the rest."""
    pages = _pages("methods", records)
    with_text = {page.id for page in pages if f"learn.{page.id}.asks" in texts(FALLBACK)}  # every own text has `asks`
    return {
        "sections": [page for page in pages if page.id in with_text],
        "entries": [page for page in pages if page.id not in with_text],
    }


def metric_pages(records: Iterable[Record] | None) -> dict[str, list[PluginPage]]:
    """The `sections` of the page /trust. A metric can be described in the section of another one (`section_of`)."""
    pages = _pages("metrics", records)
    guests: dict[str, list[str]] = {}
    for page in pages:
        if "section_of" in page.about:
            guests.setdefault(page.about["section_of"], []).append(page.id)
    own = [page for page in pages if "section_of" not in page.about]
    own.sort(key=lambda page: (page.about.get("section", LAST_SECTION), page.id))
    return {"sections": [PluginPage(page.presentation, page.record, tuple(guests.get(page.id, ()))) for page in own]}


def preview_methods() -> list[Presentation]:
    """The default methods, whose preview pictures the start page shows."""
    return [one for one in presentations("methods").values() if one.default]


def plugin_block() -> Markup:
    """A script element with ids of methods and metrics as JSON, which the page uses until the catalogue arrives."""
    presented = presentations("metrics").values()
    metrics = [{"id": one.id, "figure": one.asset("figure.js") is not None} for one in presented]
    data = json.dumps({"methods": [one.id for one in preview_methods()], "metrics": metrics}, separators=(",", ":"))
    return Markup(f'<script type="application/json" id="plugins">{data}</script>')  # safe: ids cannot contain </script>


def template_loader() -> BaseLoader:
    """Loads our own templates, those of methods and metrics as plugins/KIND/ID/NAME.html, and those of experiments as
    lab/experiments/ID/NAME."""
    return ChoiceLoader([FileSystemLoader(shipped("templates")), FunctionLoader(_plugin_template)])


def _plugin_template(name: str) -> str | None:
    match name.split("/"):
        case ["lab", "experiments", id, part]:
            return lab_template(id, part)
    match name.removesuffix(".html").split("/"):
        case ["plugins", ("methods" | "metrics") as kind, id, part] if id in presentations(kind):
            file = presentations(kind)[id].template(part)
            return file.read_text("utf-8") if file is not None else None
    return None


def asset_folders() -> dict[str, Path]:
    """The static folders of methods and metrics, by their path in the URL: KIND/ID."""
    found = {}
    for kind in KINDS:
        for id, one in presentations(kind).items():
            folder = one.folder / "static" if one.folder is not None else None
            if folder is not None and folder.is_dir():
                found[f"{kind}/{id}"] = folder
    return found


def _pages(kind: Kind, records: Iterable[Record] | None) -> list[PluginPage]:
    """All methods or metrics in order. With `records`, only those that the worker has."""
    if records is None:
        return [PluginPage(one) for one in presentations(kind).values()]
    known = {record["id"]: record for record in records}
    return [PluginPage(one, known[id]) for id, one in presentations(kind).items() if id in known]
