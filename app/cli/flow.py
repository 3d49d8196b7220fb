"""gradoscope flow: where the gradient vanishes between score and picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..contract.events import ResultEvent
from ..contract.flows import GradientFlow
from ..contract.jobs import Flow
from ..contract.parsing import parse_class, parse_size, parse_target
from ..settings import Settings
from ..storage.temporary import temporary_folder
from .options import ModelFolder, fit_of, score_of, settings_with

console = Console()
LEVEL_STYLES = {"note": "[cyan]note[/]", "doubt": "[yellow]doubt[/]"}


def flow(
    image: Annotated[Path, typer.Argument(help="A picture", metavar="IMAGE", exists=True, dir_okay=False)],
    model: Annotated[str, typer.Option(help="Model id; the default model where none is named")] = "",
    target: Annotated[str | None, typer.Option(help="Class index or label; else the top class")] = None,
    against: Annotated[str | None, typer.Option(help="Class index or label to contrast the target with")] = None,
    score: Annotated[str, typer.Option(help="logit, log_probability or probability")] = "logit",
    fit: Annotated[str | None, typer.Option(help="crop, pad or squash; else the model's own way")] = None,
    size: Annotated[str | None, typer.Option(help="Input size: a side in pixels, or HEIGHTxWIDTH")] = None,
    models: ModelFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, as the REST interface has it")] = False,
) -> None:
    """Show the gradient's norm at every layer, dead and saturated activations, and how much of the gradient each
    pooling passes on."""
    classes = parse_target(target), parse_class(against)
    job = Flow(image.read_bytes(), model, *classes, score_of(score), fit_of(fit), parse_size(size))
    chosen = settings_with(models)
    with temporary_folder() as store:
        settings = chosen.model_copy(update={"store": store})
        result = _compute(job, settings)
    if as_json:
        console.print_json(json.dumps(result.to_dict()))
    else:
        _print_result(result)


def _compute(job: Flow, settings: Settings) -> GradientFlow:
    from ..pipeline.context import Context
    from ..pipeline.fetch import fetch_all
    from ..pipeline.pipeline import run

    context = Context.open(settings, 1)
    fetch_all(context.zoo, [job.model or settings.default_model], settings)
    try:
        events = [event for event in run(job, context) if event is not None]
    finally:
        context.store.close()
    (answer,) = (event.result for event in events if isinstance(event, ResultEvent))
    assert isinstance(answer, GradientFlow)
    return answer


def _print_result(result: GradientFlow) -> None:
    from .flow_table import table

    against = result.against
    target = f"{result.target.label} ({result.target.index})"
    score_text = f"{target} − {against.label} ({against.index})" if against else target
    console.print(f"{result.model}: {result.score} of {score_text}\n", highlight=False, markup=False)
    for finding in result.findings:
        console.print(f"{LEVEL_STYLES[finding.level]:<18} ", end="", highlight=False)
        console.print(finding.detail, highlight=False, markup=False, soft_wrap=True)
    console.print()
    console.print(table(result.layers), highlight=False)
