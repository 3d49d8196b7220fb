"""Writes the results of an evaluation: tables, plots and the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ..attribution.methods.base import methods
from ..contract.problems import Problem
from ..contract.wire import JsonObject
from ..pipeline.resume import write_file
from .accuracy import accuracies
from .plots import by_method, mean_curves, plot_path
from .report import Plots, report
from .run import EvaluationResults
from .summary_tables import latex, markdown, tables
from .tables import GroupedRow, Row, csv_of, rows, summary


def write_all(out: Path, head: JsonObject, results: EvaluationResults, seed: int) -> None:
    """Write all files into the folder `out`. `head` holds the first fields of results.json: request, pictures, models
    and versions. Raises `Problem` if a file cannot be written."""
    for name, text in files(head, results, seed):
        try:
            write_file(out / name, text.encode())
        except OSError as error:
            raise Problem(f"{out / name} cannot be written: {error.strerror or error}.") from error


def files(head: JsonObject, results: EvaluationResults, seed: int) -> Iterator[tuple[str, str]]:
    """Yields (path, text) of results.csv, the summary in three formats, results.json, the plots and the report."""
    all_rows, scalars = rows(results)
    grouped_rows = summary(all_rows, scalars, seed)
    yield "results.csv", csv_of(Row, all_rows)
    yield "summary.csv", csv_of(GroupedRow, grouped_rows)
    yield "results.json", json.dumps(results_json(head, results, grouped_rows), indent=1, ensure_ascii=False)
    titles = {id: method.title for id, method in methods().items()}
    summary_tables = tables(grouped_rows, scalars, titles, accuracies(results.predictions))
    yield "summary.md", markdown(summary_tables)
    yield "summary.tex", latex(summary_tables)
    colours = {id: index for index, id in enumerate(head["methods"])}
    plots = Plots(by_method(grouped_rows, scalars, titles, colours), mean_curves(results, titles, colours, seed))
    for (model, name), svg in {**plots.numbers, **plots.curves}.items():
        yield plot_path(model, name), svg
    yield "report.html", report(head, results, all_rows, grouped_rows, scalars, plots)


def results_json(head: JsonObject, results: EvaluationResults, grouped_rows: list[GroupedRow]) -> JsonObject:
    """The content of results.json: all results without thumbnails."""
    return {
        **head,
        "results": {
            "pictures": results.pictures,
            "predictions": without_thumbs(results.predictions),
            "maps": without_thumbs(results.maps),
            "games": without_thumbs(results.games),
            "grids": without_thumbs(results.grids),
        },
        "accuracy": [asdict(one) for one in accuracies(results.predictions)],
        "summary": [asdict(line) for line in grouped_rows],
        "not_made": results.failures,
    }


def without_thumbs(value: object) -> object:
    if isinstance(value, dict):
        return {name: without_thumbs(item) for name, item in value.items() if name != "thumb"}
    return [without_thumbs(item) for item in value] if isinstance(value, list) else value
