"""An evaluation from a shell: with a progress bar, into a folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..batch import READERS
from ..errors import Problem
from ..gather import Entry
from ..service.jobs import Explain
from ..settings import Settings
from ..shell import fetch_all
from ..workshop import Workshop
from ..zoo.memory import keep_freed
from .course import Course
from .parts import Parts, write_whole
from .run import Evaluation
from .tables import Line, Row, csv_of, rows, summary


def evaluate_here(
    entries: Sequence[Entry],
    question: Explain,
    settings: Settings,
    out: Path,
    console: Console,
    grids: int | None,
    confidence: float,
    command: str,
) -> bool:
    """Evaluate, and write everything into `out`. Whether nothing failed; raises `Problem`."""
    keep_freed()
    # a limit is for strangers' requests; here they are the operator's own hours
    workshop = Workshop.open(settings.model_copy(update={"max_work": sys.maxsize, "max_panels": sys.maxsize}), READERS)
    workshop.decoders.warm()
    fetch_all(workshop.zoo, question.models or (settings.default_model,), settings, console)
    names = {entry: str(entry.folder.relative_to(out)) for entry in entries}
    with Course(console) as course:
        evaluation = Evaluation(question, workshop, Parts(out / ".parts"), course)
        findings = evaluation.measure(entries, names)
    found, known = rows(findings)
    lines = summary(found, known, question.seed)
    write(out, "results.csv", csv_of(Row, found))
    write(out, "summary.csv", csv_of(Line, lines))
    return not findings.failed


def write(folder: Path, name: str, text: str) -> None:
    """Raises `Problem`."""
    try:
        write_whole(folder / name, text.encode())
    except OSError as error:
        raise Problem(f"{folder / name} cannot be written: {error.strerror or error}.") from error
