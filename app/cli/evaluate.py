"""gradoscope evaluate: compare methods by metrics over the pictures of a folder."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ..contract.jobs import Explain
from ..images.image_files import ImageFile, find_image_files, left_out
from ..pipeline.presentation import presentations
from ..settings import Settings
from ..storage.temporary import temporary_folder
from .explain import INTERRUPTED, parse_options
from .options import (
    FitText,
    MethodIds,
    ModelFolder,
    ModelIds,
    QualityText,
    Recursive,
    fit_of,
    quality_of,
    settings_with,
)

if TYPE_CHECKING:
    from .evaluate_run import EvaluateOptions

console = Console()
DEFAULT = tuple(metric.id for metric in presentations("metrics").values() if metric.default)
Target = Annotated[
    str | None,
    typer.Option(
        help="Class of all maps, by index or label; or folder: the true class, by which each picture's folder is "
        "named (index, label or synset id) [each model's top class]"
    ),
]
BoxFile = Annotated[
    Path | None,
    typer.Option(help="CSV file of boxes around what the maps should show: picture,x,y,width,height", metavar="FILE"),
]
Tolerance = Annotated[
    float | None,
    typer.Option(min=0, max=10_000, help="Pixels of the picture beside a box that the pointing game allows [15]"),
]


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures", metavar="DIR")],
    model: ModelIds = None,
    method: MethodIds = None,
    metric: Annotated[
        list[str] | None, typer.Option(help=f"Metric id, repeatable, or all [{' and '.join(DEFAULT)}]")
    ] = None,
    target: Target = None,
    boxes: BoxFile = None,
    tolerance: Tolerance = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="METHOD.PARAMETER=VALUE or METRIC.PARAMETER=VALUE, e.g. deletion.steps=20"),
    ] = None,
    quality: QualityText = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn: methods, metrics, grids, intervals")] = 0,
    fit: FitText = None,
    recursive: Recursive = False,
    grids: Annotated[
        int | None, typer.Option(min=0, help="Grids of the pointing game; 20 where 4 pictures fit, 0 plays none")
    ] = None,
    confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Probability of its top class that a picture in a grid has at least")
    ] = 0.5,
    out: Annotated[Path | None, typer.Option(help="Folder for the results [evaluations/DIR]")] = None,
    models: ModelFolder = None,
) -> None:
    """Compare methods by metrics over the pictures of a folder: tables, plots and a report page, with intervals.

    Each map explains its model's top class, or the class that --target says. An interrupted run continues where it was;
    a run with other methods or metrics uses the results that are there. Exit code 1 if something failed; refusals are
    listed.
    """
    from .evaluate_run import EvaluateOptions

    request = Explain(
        id="",
        picture=b"",
        models=tuple(model or ()),
        methods=tuple(method or ()),
        options=parse_options(option or []),
        quality=quality_of(quality),
        seed=seed,
        fit=fit_of(fit),
        metrics=tuple(metric or DEFAULT),
    )
    out_folder = out or Path("evaluations") / os.path.basename(os.path.abspath(folder))
    entries = find_image_files([folder], out_folder, recursive)
    if said := left_out([folder], out_folder, recursive):
        console.print(said, highlight=False, markup=False)
    command = shlex.join(["gradoscope", *sys.argv[1:]])
    options = EvaluateOptions(folder, out_folder, grids, confidence, command, target, boxes, tolerance)
    _evaluate(entries, request, settings_with(models), options)


def _evaluate(entries: list[ImageFile], request: Explain, settings: Settings, options: EvaluateOptions) -> None:
    """Run it; exits where it is interrupted, or something failed."""
    from .evaluate_run import evaluate_folder

    with temporary_folder() as store:
        try:
            complete = evaluate_folder(entries, request, settings.model_copy(update={"store": store}), options, console)
        except KeyboardInterrupt:
            console.print("Interrupted. The same command goes on where this one was.", highlight=False)
            raise typer.Exit(INTERRUPTED) from None
    if not complete:
        raise typer.Exit(1)
