"""Everything that an evaluation writes: tables, figures, plots, and the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ..attribution.methods.base import methods
from ..contract.problems import Problem
from ..contract.wire import JsonObject
from ..pipeline.resume import write_file
from .plots import by_method, mean_curves, name_of
from .report import Plots, report
from .run import EvaluationResults
from .tables import GroupedRow, Row, csv_of, rows, summary


def write_all(out: Path, about: JsonObject, findings: EvaluationResults, seed: int) -> None:
    """Raises `Problem` where something cannot be written."""
    for name, text in files(about, findings, seed):
        try:
            write_file(out / name, text.encode())
        except OSError as error:
            raise Problem(f"{out / name} cannot be written: {error.strerror or error}.") from error


def files(about: JsonObject, findings: EvaluationResults, seed: int) -> Iterator[tuple[str, str]]:
    """(path, text) of results.csv, summary.csv, results.json, the plots and the report."""
    found, known = rows(findings)
    lines = summary(found, known, seed)
    yield "results.csv", csv_of(Row, found)
    yield "summary.csv", csv_of(GroupedRow, lines)
    yield "results.json", json.dumps(whole(about, findings, lines), indent=1, ensure_ascii=False)
    titles = {id: method.title for id, method in methods().items()}
    colours = {id: place for place, id in enumerate(about["methods"])}
    plots = Plots(by_method(lines, known, titles, colours), mean_curves(findings, titles, colours, seed))
    for (model, name), svg in {**plots.numbers, **plots.curves}.items():
        yield name_of(model, name), svg
    yield "report.html", report(about, findings, found, lines, known, plots)


def whole(about: JsonObject, findings: EvaluationResults, lines: list[GroupedRow]) -> JsonObject:
    """All that was found, but for the thumbnails."""
    return {
        **about,
        "results": {
            "pictures": findings.pictures,
            "predictions": without_thumbs(findings.looks),
            "maps": without_thumbs(findings.maps),
            "games": without_thumbs(findings.games),
            "grids": without_thumbs(findings.grids),
        },
        "summary": [asdict(line) for line in lines],
        "not_made": findings.failures,
    }


def without_thumbs(found: object) -> object:
    if isinstance(found, dict):
        return {name: without_thumbs(value) for name, value in found.items() if name != "thumb"}
    return [without_thumbs(value) for value in found] if isinstance(found, list) else found
