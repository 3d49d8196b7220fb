"""gradoscope doctor"""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer
from rich.console import Console

from ...contract.version import VERSION

console = Console()
VERDICT_STYLES = {"ok": "[green]ok[/]       ", "attention": "[yellow]attention[/]", "wrong": "[red]wrong[/]    "}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, for programs")] = False,
) -> None:
    """Say what a server would find here: device, versions, settings, models, store, port; and what is wrong.

    Each line is ok, attention (it works, but could be better) or wrong, with what to do. Exit code 1 if anything is
    wrong.
    """
    from . import run_checks, worst

    diagnoses = []
    for diagnosis in run_checks():
        diagnoses.append(diagnosis)
        if not as_json:
            console.print(f"{VERDICT_STYLES[diagnosis.verdict]}  {diagnosis.what:<14} ", end="")
            console.print(diagnosis.detail, highlight=False, markup=False, soft_wrap=True)
            if diagnosis.remedy:
                console.print(f"{'':<26} → {diagnosis.remedy}", highlight=False, markup=False, soft_wrap=True)
    verdict = worst(diagnoses)
    if as_json:
        listed = [dataclasses.asdict(diagnosis) for diagnosis in diagnoses]
        typer.echo(json.dumps({"version": VERSION, "verdict": verdict, "findings": listed}, ensure_ascii=False))
    if verdict == "wrong":
        raise typer.Exit(1)
