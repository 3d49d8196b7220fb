"""The words of experiments: the one place where keys become titles and sentences.

An experiment computes ids and numbers. What people read of it stands in `texts/LANGUAGE.json` in its folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..contract.catalogue import PaperBody
from ..contract.experiments import (
    KIND_OF,
    Axis,
    BarsData,
    ExperimentBody,
    ExperimentFinding,
    FigureBody,
    FigureData,
    GridGroup,
    GridsData,
    GridStep,
    MatrixData,
    Series,
    TableData,
    TryBody,
)
from ..contract.parsing import unique_names
from ..contract.wire import JsonObject
from .arguments import as_json
from .experiment import Experiment, Figure
from .registry import experiments
from .worded import RUN, Worded

FALLBACK = "en"  # the language on the wire, and where another one has no text
PLACEHOLDER = re.compile(r"\{(\w+)\}")
LABELS = ("column", "series", "number")  # kinds of texts that a label may be the key of
Words = Mapping[str, str]


def all_worded() -> Mapping[str, Worded]:
    """All that have words, by their ids: every experiment, and the report of a run."""
    return MappingProxyType({**experiments(), RUN.id: RUN})


def words(one: Worded, language: str = FALLBACK) -> Words:
    """Its texts by their short keys; English where the language has none."""
    return _words(one.folder, language)


@cache
def _words(place: Path, language: str) -> Words:
    found: dict[str, str] = {}
    for code in dict.fromkeys((FALLBACK, language)):
        file = place / "texts" / f"{code}.json"
        if file.is_file():
            found |= json.loads(file.read_text("utf-8"), object_pairs_hook=unique_names)
    return MappingProxyType(found)


def described(experiment: Experiment[Any]) -> ExperimentBody:
    """An experiment as GET /experiments lists it."""
    known = words(experiment)
    return ExperimentBody(
        id=experiment.id,
        title=known["title"],
        question=known["question"],
        summary=known["summary"],
        papers=[PaperBody(title=paper.title, url=paper.url) for paper in experiment.papers],
        parameters=schema(experiment),
        seconds=round(experiment.cost(experiment.parameters()), 3),
        tries=[
            TryBody(id=one.id, title=known[f"try.{one.id}"], parameters=dict(one.parameters))
            for one in experiment.tries
        ],
    )


def schema(experiment: Experiment[Any], language: str = FALLBACK) -> JsonObject:
    """JSON Schema of the parameters, each with its default, title and help."""
    known = words(experiment, language)
    made: JsonObject = experiment.parameters.model_json_schema()
    defaults = as_json(experiment.parameters())
    for name, field in made["properties"].items():
        field["default"] = defaults[name]
        for key, text in (("title", f"parameter.{name}"), ("description", f"help.{name}")):
            if text in known:
                field[key] = known[text]
    return made


def worded_figure(of: Worded, figure: Figure, language: str = FALLBACK) -> FigureBody:
    """A figure with its titles. A series that was given a title keeps it."""
    known = words(of, language)
    title = known.get(f"figure.{figure.id}", figure.id)
    return FigureBody(id=figure.id, kind=KIND_OF[type(figure.data)], title=title, data=_titled(figure.data, known))


def _titled(data: FigureData, known: Words) -> FigureData:
    if isinstance(data, GridsData):
        groups = [_titled_group(group, known) for group in data.groups]
        return data.model_copy(update={"groups": groups, "steps": [_worded_step(step, known) for step in data.steps]})
    return data.model_copy(update=dict(_titles(data, known)))


def _titled_group(group: GridGroup, known: Words) -> GridGroup:
    grids = [
        grid.model_copy(update={"title": grid.title or known.get(f"grid.{grid.id}", grid.id)}) for grid in group.grids
    ]
    return group.model_copy(update={"title": group.title or known.get(f"group.{group.id}", group.id), "grids": grids})


def _worded_step(step: GridStep, known: Words) -> GridStep:
    return step.model_copy(update={"text": filled(known.get(f"step.{step.id}", step.text), step.numbers)})


def _titles(data: FigureData, known: Words) -> Iterator[tuple[str, Any]]:
    """The fields of a figure's data that have titles, with them."""
    for name in ("x", "y"):
        if isinstance(axis := getattr(data, name, None), Axis):
            yield name, axis.model_copy(update={"title": axis.title or known.get(f"axis.{axis.id}", axis.id)})
    for name in ("series", "paths"):
        listed: list[Series] | None = getattr(data, name, None)
        if listed is not None:
            yield (
                name,
                [
                    one.model_copy(update={"title": one.title or known.get(f"series.{one.id}", one.id)})
                    for one in listed
                ],
            )


def labelled(id: str, figure: FigureBody, language: str = FALLBACK) -> FigureBody:
    """A figure whose columns, rows and labels are words, for those who draw or write it; on the wire they are keys.

    Unchanged where no experiment of that id is here: a server may have others.
    """
    if id not in all_worded():
        return figure
    known = words(all_worded()[id], language)

    def word(key: Any) -> Any:
        return next((known[f"{kind}.{key}"] for kind in LABELS if f"{kind}.{key}" in known), key)

    data = figure.data
    changed: dict[str, Any] = {}
    if isinstance(data, TableData):
        changed = {"columns": [word(key) for key in data.columns]}
        changed["rows"] = [[word(cell) if isinstance(cell, str) else cell for cell in row] for row in data.rows]
    elif isinstance(data, BarsData):
        changed = {"labels": [word(key) for key in data.labels]}
    elif isinstance(data, MatrixData):
        changed = {name: [word(key) for key in getattr(data, name)] for name in ("rows", "columns")}
    return figure.model_copy(update={"data": data.model_copy(update=changed)})


def worded_finding(of: Worded, finding: ExperimentFinding, language: str = FALLBACK) -> ExperimentFinding:
    """A finding with its sentence, the numbers filled in."""
    known = words(of, language)
    template = known.get(f"finding.{finding.id}.{finding.verdict}", finding.text)
    return finding.model_copy(update={"text": filled(template, finding.numbers, known)})


def filled(template: str, numbers: Mapping[str, float | int | str | None], known: Words = MappingProxyType({})) -> str:
    """A sentence with numbers in the place of `{names}`; a name that has none stays.

    A name that ends in `_series` holds ids of series, by commas: their titles are said.
    """

    def value(found: re.Match[str]) -> str:
        if found[1] not in numbers:
            return found[0]
        one = numbers[found[1]]
        if found[1].endswith("_series"):
            return ", ".join(known.get(f"series.{id}", id) for id in str(one).split(", "))
        return number_text(one)

    return PLACEHOLDER.sub(value, template)


def number_text(value: float | int | str | None) -> str:
    """A number for people: four significant digits (six just beside 1), and powers of ten beyond 10⁻³ and 10⁶.

    With a true minus.
    """
    if value is None:
        return "not finite"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or (value == round(value) and abs(value) < 1e6):
        return f"{round(value)}".replace("-", "−")
    if 1e-3 <= abs(value) < 1e6:
        near_one = f"{abs(value):.4g}" == "1" != f"{abs(value):.6g}"  # a factor that four digits would make 1
        text = f"{value:.6g}" if near_one else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
        return text.replace("-", "−")
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    if not exponent:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").removesuffix(".")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    power = f"{mantissa.removesuffix('1')}10{raised}" if mantissa in ("1", "-1") else f"{mantissa}×10{raised}"
    return power.replace("-", "−")
