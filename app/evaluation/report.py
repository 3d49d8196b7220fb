"""The report: one page that needs nothing beside it, for a browser or paper."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..attribution.methods.base import methods
from ..attribution.metrics.base import metrics
from ..contract.wire import JsonObject
from ..settings import shipped
from .records import Failure, GameRecord
from .run import EvaluationResults
from .scalars import LOCALISATION, Scalar, figure, leading
from .svg import STYLE
from .tables import GroupedRow, Row, grouped

SHOWN = 3  # pictures at each end


@dataclass(frozen=True)
class Plots:
    """SVG by (model, number) and by (model, metric)."""

    numbers: Mapping[tuple[str, str], str]
    curves: Mapping[tuple[str, str], str]


def report(
    about: JsonObject,
    findings: EvaluationResults,
    rows: list[Row],
    lines: list[GroupedRow],
    known: dict[str, Scalar],
    plots: Plots,
) -> str:
    """HTML. `about` is the head of results.json."""
    environment = Environment(
        loader=FileSystemLoader(shipped("templates")), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["figure"] = figure
    titles = {id: method.title for id, method in methods().items()}
    found = list(dict.fromkeys(number.metric for number in known.values()))
    return environment.get_template("evaluation.html").render(
        about=about,
        tokens=Markup((shipped("static") / "css" / "tokens.css").read_text("utf-8")),
        plot_style=Markup(re.sub(r"</?style>", "", STYLE)),
        titles=titles,
        metric_titles={**{id: metric.title for id, metric in metrics().items()}, "grid_pointing": "Grid pointing game"},
        papers={id: metric.paper for id, metric in metrics().items()},
        known=known,
        first=[known[id] for metric in found if (id := leading(metric) or _first(metric, known)) in known],
        sections=[_section(metric, lines, known, plots) for metric in found if metric != LOCALISATION.metric],
        pointing=_section(LOCALISATION.metric, lines, known, plots) if LOCALISATION.metric in found else None,
        games=[_game(game, findings) for game in findings.games],
        overview=_overview(lines),
        examples=_examples(findings, rows, known),
        failures=gather(findings.failures),
        undecoded=sum(picture["problem"] is not None for picture in findings.pictures),
    )


def gather(failures: list[Failure]) -> list[JsonObject]:
    """The same reason for many pictures or models told once, with their names; failures before refusals."""
    found: dict[tuple[Any, ...], JsonObject] = {}
    for record in failures:
        told = {name: record.get(name, "") for name in ("method", "metric", "status")}
        about = {**told, "problem": record["problem"], "models": [], "pictures": []}
        one = found.setdefault((*told.values(), record["problem"]["detail"] if record["problem"] else ""), about)
        for name, names in ((record.get("model"), one["models"]), (record.get("picture"), one["pictures"])):
            if name and name not in names:
                names.append(name)
    return sorted(found.values(), key=lambda one: one["status"] != "failed")


def _first(metric: str, known: Mapping[str, Scalar]) -> str:
    return next(id for id, number in known.items() if number.metric == metric)


def _section(metric: str, lines: list[GroupedRow], known: Mapping[str, Scalar], plots: Plots) -> JsonObject:
    """A metric's part: its numbers, each with its plots and lines, and its curves."""
    numbers = []
    for id, number in known.items():
        if number.metric == metric:
            own = [line for line in lines if line.number == id]
            numbers.append(
                {
                    "number": number,
                    "plots": [_inline(svg) for (_, name), svg in plots.numbers.items() if name == id],
                    "lines": [line for line in own if not line.against],
                    "differences": [line for line in own if line.against],
                }
            )
    curves = [_inline(svg) for (_, name), svg in plots.curves.items() if name == metric]
    return {"metric": metric, "numbers": numbers, "curves": curves}


def _inline(svg: str) -> Markup:
    """A plot as a part of the page, which has its style once."""
    return Markup(svg.replace(STYLE, ""))


def _overview(lines: list[GroupedRow]) -> dict[str, dict[str, dict[str, GroupedRow]]]:
    """By model, number and method."""
    found: dict[str, dict[str, dict[str, GroupedRow]]] = {}
    for line in lines:
        if not line.against:
            found.setdefault(line.model, {}).setdefault(line.number, {})[line.method] = line
    return found


def _examples(findings: EvaluationResults, rows: list[Row], known: Mapping[str, Scalar]) -> dict[str, list[JsonObject]]:
    """By metric: for each model and method the pictures at both ends of its first number, with their maps."""
    maps = {(r["model"], r["method"], r["picture"]): r for r in findings.maps if r.get("thumb")}
    looks = {(r["model"], r["picture"]): r for r in findings.looks if r.get("thumb")}
    values: dict[tuple[str, str, str], dict[str, float]] = {}
    for (model, number, method, picture), found in grouped(rows).items():
        if leading(known[number].metric) == number and (model, method, picture) in maps:
            values.setdefault((number, model, method), {})[picture] = found[0]
    examples: dict[str, list[JsonObject]] = {}
    for (number, model, method), by_picture in values.items():
        about = known[number]
        ordered = sorted(by_picture, key=by_picture.__getitem__, reverse=about.better == "higher")
        count = min(SHOWN, len(ordered) // 2)

        def shown(
            picture: str, model: str = model, method: str = method, by: dict[str, float] = by_picture
        ) -> JsonObject:
            record = maps[model, method, picture]
            seen = looks[model, picture]["thumb"]
            return {"picture": picture, "value": by[picture], "target": record["target"], "seen": seen,
                    "map": record["thumb"]}  # fmt: skip

        ends = {"best": list(map(shown, ordered[:count])), "worst": list(map(shown, ordered[-count:] if count else []))}
        if count:
            examples.setdefault(about.metric, []).append({"model": model, "method": method, "number": about, **ends})
    return examples


def _game(game: GameRecord, findings: EvaluationResults) -> JsonObject:
    """A model's game, with the grids that are shown and each method's maps of them."""
    shown = []
    made = [record for record in findings.grids if record["model"] == game["model"] and record["cells"]]
    for grid in game["grids"]:
        if grid["thumb"]:
            shown.append({**grid, "maps": [record for record in made if record["grid"] == grid["grid"]]})
    return {**game, "shown": shown}
