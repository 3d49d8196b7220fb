"""gradoscope doctor"""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer
from rich.console import Console

from ...contract.version import VERSION

console = Console()
MARKS = {"ok": "[green]ok[/]       ", "attention": "[yellow]attention[/]", "wrong": "[red]wrong[/]    "}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, for programs")] = False,
) -> None:
    """Say what a server would find here: device, versions, settings, models, store, port; and what is wrong.

    Each line is ok, attention (it works, and could be better) or wrong, with what to do. Exit code 1 where anything is
    wrong.
    """
    from . import examine, worst

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            console.print(f"{MARKS[finding.verdict]}  {finding.what:<14} ", end="")
            console.print(finding.detail, highlight=False, markup=False, soft_wrap=True)
            if finding.remedy:
                console.print(f"{'':<26} → {finding.remedy}", highlight=False, markup=False, soft_wrap=True)
    verdict = worst(findings)
    if as_json:
        said = [dataclasses.asdict(finding) for finding in findings]
        typer.echo(json.dumps({"version": VERSION, "verdict": verdict, "findings": said}, ensure_ascii=False))
    if verdict == "wrong":
        raise typer.Exit(1)
