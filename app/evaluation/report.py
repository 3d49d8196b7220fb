"""The report: one self-contained HTML page, for browsers and print."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..attribution.methods.base import methods
from ..attribution.metrics.scalars import Scalar
from ..contract.wire import JsonObject
from ..settings import shipped
from .accuracy import accuracies
from .records import Failure, GameRecord
from .run import EvaluationResults
from .scalars import LOCALISATION, figure, main_scalar, measured
from .svg import STYLE
from .tables import PREDICTIONS, GroupedRow, Row, grouped

SHOWN = 3  # best and worst pictures


@dataclass(frozen=True)
class Plots:
    """SVG: of numbers by model and scalar id, of curves by model and metric id."""

    numbers: Mapping[tuple[str, str], str]
    curves: Mapping[tuple[str, str], str]


def report(
    head: JsonObject,
    results: EvaluationResults,
    rows: list[Row],
    lines: list[GroupedRow],
    scalars: dict[str, Scalar],
    plots: Plots,
) -> str:
    """The report as HTML. `head` is the head of results.json."""
    environment = Environment(
        loader=FileSystemLoader(shipped("templates")), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["figure"] = figure
    titles = {id: method.title for id, method in methods().items()}
    metric_ids = list(dict.fromkeys(number.metric for number in scalars.values()))
    return environment.get_template("evaluation.html").render(
        about=head,
        tokens=Markup((shipped("static") / "css" / "tokens.css").read_text("utf-8")),
        plot_style=Markup(re.sub(r"</?style>", "", STYLE)),
        titles=titles,
        metric_titles={
            **{id: metric.title for id, metric in measured().items()},
            "grid_pointing": "Grid pointing game",
        },
        papers={id: metric.paper for id, metric in measured().items()},
        known=scalars,
        main_scalars=[
            scalars[id] for metric in metric_ids if (id := main_scalar(metric) or _first(metric, scalars)) in scalars
        ],
        sections=[_section(metric, lines, scalars, plots) for metric in metric_ids if metric != LOCALISATION.metric],
        pointing=_section(LOCALISATION.metric, lines, scalars, plots) if LOCALISATION.metric in metric_ids else None,
        games=[_game(game, results) for game in results.games],
        overview=_overview(lines),
        accuracies=accuracies(results.predictions),
        examples=_examples(results, rows, scalars),
        failures=group_failures(results.failures),
        undecoded=sum(picture["problem"] is not None for picture in results.pictures),
    )


def group_failures(failures: list[Failure]) -> list[JsonObject]:
    """Group failures with the same reason, with the names of their pictures and models; failures before refusals."""
    groups: dict[tuple[Any, ...], JsonObject] = {}
    for record in failures:
        key = {name: record.get(name, "") for name in ("method", "metric", "status")}
        new_group = {**key, "problem": record["problem"], "models": [], "pictures": []}
        group = groups.setdefault((*key.values(), record["problem"]["detail"] if record["problem"] else ""), new_group)
        for name, names in ((record.get("model"), group["models"]), (record.get("picture"), group["pictures"])):
            if name and name not in names:
                names.append(name)
    return sorted(groups.values(), key=lambda group: group["status"] != "failed")


def _first(metric: str, scalars: Mapping[str, Scalar]) -> str:
    return next(id for id, number in scalars.items() if number.metric == metric)


def _section(metric: str, lines: list[GroupedRow], scalars: Mapping[str, Scalar], plots: Plots) -> JsonObject:
    """A metric's section: its numbers, each with plots and table rows, and its curves.

    A row with `against` is the difference of two methods: `method` minus `against`. `split` has the rows of the
    pictures that the model gets right, and of those that it gets wrong.
    """
    numbers = []
    for id, number in scalars.items():
        if number.metric == metric:
            rows_of_number = [line for line in lines if line.number == id]
            of_all = [line for line in rows_of_number if not line.prediction]
            numbers.append(
                {
                    "number": number,
                    "plots": [_inline(svg) for (_, name), svg in plots.numbers.items() if name == id],
                    "lines": [line for line in of_all if not line.against],
                    "differences": [line for line in of_all if line.against],
                    "split": {
                        prediction: [line for line in rows_of_number if line.prediction == prediction]
                        for prediction in PREDICTIONS.values()
                    },
                }
            )
    curves = [_inline(svg) for (_, name), svg in plots.curves.items() if name == metric]
    return {"metric": metric, "numbers": numbers, "curves": curves}


def _inline(svg: str) -> Markup:
    """A plot without its style, which the page has once."""
    return Markup(svg.replace(STYLE, ""))


def _overview(lines: list[GroupedRow]) -> dict[str, dict[str, dict[str, GroupedRow]]]:
    """Rows by model, number and method."""
    by_model: dict[str, dict[str, dict[str, GroupedRow]]] = {}
    for line in lines:
        if not line.against and not line.prediction:
            by_model.setdefault(line.model, {}).setdefault(line.number, {})[line.method] = line
    return by_model


def _examples(
    results: EvaluationResults, rows: list[Row], scalars: Mapping[str, Scalar]
) -> dict[str, list[JsonObject]]:
    """By metric: for each model and method the best and worst pictures by the metric's main number, with their maps."""
    maps = {(r["model"], r["method"], r["picture"]): r for r in results.maps if r.get("thumb")}
    predictions = {(r["model"], r["picture"]): r for r in results.predictions if r.get("thumb")}
    values: dict[tuple[str, str, str], dict[str, float]] = {}
    for (model, number, method, picture), row_values in grouped(rows).items():
        if main_scalar(scalars[number].metric) == number and (model, method, picture) in maps:
            values.setdefault((number, model, method), {})[picture] = row_values[0]
    examples: dict[str, list[JsonObject]] = {}
    for (number, model, method), by_picture in values.items():
        scalar = scalars[number]
        ordered = sorted(by_picture, key=by_picture.__getitem__, reverse=scalar.better == "higher")
        count = min(SHOWN, len(ordered) // 2)

        def shown(
            picture: str, model: str = model, method: str = method, by: dict[str, float] = by_picture
        ) -> JsonObject:
            record = maps[model, method, picture]
            seen = predictions[model, picture]
            wrong = seen["classes"][0] if record.get("right") is False else None  # what the model says instead
            return {"picture": picture, "value": by[picture], "target": record["target"], "seen": seen["thumb"],
                    "map": record["thumb"], "top": wrong}  # fmt: skip

        ends = {"best": list(map(shown, ordered[:count])), "worst": list(map(shown, ordered[-count:] if count else []))}
        if count:
            examples.setdefault(scalar.metric, []).append({"model": model, "method": method, "number": scalar, **ends})
    return examples


def _game(game: GameRecord, results: EvaluationResults) -> JsonObject:
    """A model's game, with the grids to show and each method's maps of them."""
    shown = []
    records = [record for record in results.grids if record["model"] == game["model"] and record["cells"]]
    for grid in game["grids"]:
        if grid["thumb"]:
            shown.append({**grid, "maps": [record for record in records if record["grid"] == grid["grid"]]})
    return {**game, "shown": shown}
