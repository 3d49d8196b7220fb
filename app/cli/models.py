"""The commands gradoscope models, models pull, models check."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from ..contract.problems import Problem
from ..settings import operator_settings

app = typer.Typer(help="List the models, download their weights, check a card of your own.")
console = Console()
MAX_WIDTH = 1000  # characters of a line that goes into a pipe or a file
VERDICT_STYLES = {
    "ok": "[green]ok[/]",
    "note": "[cyan]note[/]",
    "refused": "[yellow]refused[/]",
    "wrong": "[red]wrong[/]",
}


AsJson = Annotated[bool, typer.Option("--json", help="As JSON, in the form of the REST interface")]


@app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the models, and whether their weights are here."""
    if context.invoked_subcommand is not None:
        if as_json:
            raise typer.BadParameter(f"--json lists the models; {context.invoked_subcommand} does not take it")
        return
    from ..contract.catalogue import Models
    from ..pipeline.catalogue import catalogue
    from ..zoo.zoo import Zoo

    settings = operator_settings()
    zoo = Zoo(settings)
    if as_json:
        offered = catalogue(zoo, settings).to_dict()
        typer.echo(json.dumps({name: offered[name] for name in Models.model_fields}, indent=2, ensure_ascii=False))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    marked = {id: f"{escape(id)} *" if id == settings.default_model else escape(id) for id in zoo.specs}
    table.add_column("id", no_wrap=True, min_width=max(map(len, marked.values()), default=0))
    for name in ("input", "classes", "top-1", "weights", "MiB", "licence"):
        table.add_column(name, overflow="fold")
    for entry in map(zoo.describe, zoo.specs):
        accuracy, size = entry.accuracy, entry.weights.bytes
        table.add_row(
            marked[entry.id],
            "×".join(map(str, entry.input_size)),
            str(entry.classes),
            "" if accuracy is None else f"{accuracy:.1f}",
            entry.availability,
            "" if size is None else f"{size / 2**20:.0f}",
            escape(entry.licence),
        )
    _console_for(table).print(table)
    console.print(
        "* the default. And any by the libraries' own ids, e.g. timm:resnet50.a1_in1k or torchvision:resnet34."
    )
    for card in zoo.faulty_cards:
        console.print(f"[red]cannot be used:[/] {escape(card.detail)}", highlight=False)


def _console_for(table: Table) -> Console:
    """The terminal; or, where lines go into a pipe or a file, a console as wide as the table."""
    if console.is_terminal:
        return console
    needed = Measurement.get(console, console.options.update(max_width=MAX_WIDTH), table).maximum
    return Console(width=max(console.width, needed))


@app.command("pull")
def pull_models(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of models")] = None,
    all_models: Annotated[bool, typer.Option("--all", help="Every model that has a card")] = False,
) -> None:
    """Download weights: resumed where an earlier try broke off, checked by hash, put in place in one step."""
    from ..pipeline.fetch import fetch
    from ..zoo.zoo import Zoo

    settings = operator_settings()
    zoo = Zoo(settings)
    wanted = list(zoo.specs) if all_models else ids or []
    if not wanted:
        raise typer.BadParameter("name a model, or say --all")
    failed: list[Problem] = []
    for model in wanted:
        try:
            fetch(zoo, model, settings, console)
        except Problem as problem:
            failed.append(problem)
            if len(wanted) > 1:
                console.print(f"[red]{problem.title}:[/] {escape(problem.detail)}", highlight=False)
    if failed:
        raise failed[-1]


@app.command("check")
def check_card(
    card: Annotated[
        Path, typer.Argument(help="A model card (.toml), with its weights beside it", exists=True, dir_okay=False)
    ],
    image: Annotated[
        Path | None, typer.Option(help="A picture that the model is for", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """Load a card's model, ask it, run every method; say what is wrong and what to do. Exit code 1 if anything is."""
    from .check_card import check

    if card.suffix != ".toml":
        raise typer.BadParameter(f"{card.name} is no card: name the .toml that stands beside it")
    wrong = 0
    with _quiet():  # what a log line would say, a result of the check says
        for result in check(card, operator_settings(), image.read_bytes() if image else None):
            wrong += result.verdict == "wrong"
            console.print(f"{VERDICT_STYLES[result.verdict]:<20} {result.what:<26} ", end="", highlight=False)
            console.print(result.detail, highlight=False, markup=False, soft_wrap=True)
    if wrong:
        raise typer.Exit(1)
    console.print(
        f"\nShow it: GRADOSCOPE_MODELS={shlex.quote(str(card.parent))} gradoscope serve",
        highlight=False,
        soft_wrap=True,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """A context in which only errors are logged."""
    log = logging.getLogger("gradoscope")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
