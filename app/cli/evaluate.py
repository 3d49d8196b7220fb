"""gradoscope evaluate: compare methods by metrics over the pictures of a folder."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..contract.jobs import Explain
from ..images.image_files import find_image_files, left_out
from ..pipeline.presentation import presentations
from ..settings import operator_settings
from ..storage.temporary import temporary_folder
from .explain import INTERRUPTED, parse_options
from .options import fit_of

console = Console()
DEFAULT = tuple(metric.id for metric in presentations("metrics").values() if metric.default)


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures", metavar="DIR")],
    model: Annotated[list[str] | None, typer.Option(help="Model id, repeatable")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Method id, repeatable; the six where none is named")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help=f"Metric id, repeatable, or all [{' and '.join(DEFAULT)}]")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="METHOD.PARAMETER=VALUE or METRIC.PARAMETER=VALUE, e.g. deletion.steps=20"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn: methods, metrics, grids, intervals")] = 0,
    fit: Annotated[str | None, typer.Option(help="crop, pad or squash; else the model's own way")] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Folders below, too")] = False,
    grids: Annotated[
        int | None, typer.Option(min=0, help="Grids of the pointing game; 20 where 4 pictures fit, 0 plays none")
    ] = None,
    confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Probability of its top class that a picture in a grid has at least")
    ] = 0.5,
    out: Annotated[Path | None, typer.Option(help="Folder for the results [evaluations/DIR]")] = None,
) -> None:
    """Compare methods by metrics over the pictures of a folder: tables, plots and a report page, with intervals.

    Each map explains its model's top class. An interrupted run continues where it was; a run with other methods or
    metrics uses the results that are there. Exit code 1 if something failed; refusals are listed.
    """
    from .evaluate_run import EvaluateOptions, evaluate_folder

    request = Explain(
        id="",
        picture=b"",
        models=tuple(model or ()),
        methods=tuple(method or ()),
        options=parse_options(option or []),
        seed=seed,
        fit=fit_of(fit),
        metrics=tuple(metric or DEFAULT),
    )
    out_folder = out or Path("evaluations") / os.path.basename(os.path.abspath(folder))
    entries = find_image_files([folder], out_folder, recursive)
    if said := left_out([folder], out_folder, recursive):
        console.print(said, highlight=False, markup=False)
    options = EvaluateOptions(folder, out_folder, grids, confidence, shlex.join(["gradoscope", *sys.argv[1:]]))
    with temporary_folder() as store:
        settings = operator_settings().model_copy(update={"store": store})
        try:
            complete = evaluate_folder(entries, request, settings, options, console)
        except KeyboardInterrupt:
            console.print("Interrupted. The same command goes on where this one was.", highlight=False)
            raise typer.Exit(INTERRUPTED) from None
    if not complete:
        raise typer.Exit(1)
