"""gradoscope lab: experiments on gradients where networks learn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..contract.experiments import ExperimentResult, Experiments
from ..contract.parsing import MAX_SEED, TOO_DEEP
from ..contract.problems import Problem, Unprocessable
from ..contract.wire import JsonObject
from ..lab.arguments import as_json, checked_parameters
from ..lab.experiment import Experiment
from ..lab.registry import experiments, find_experiment
from ..lab.worded import RUN, Worded
from ..lab.wording import described, number_text, schema, words

console = Console()
VERDICTS = {
    "holds": ("holds", "green"),
    "fails": ("does not hold", "red"),
    "depends": ("depends", "yellow"),
}
QUICK_SECONDS = 2  # a run that takes less has no progress bar
MAX_SHOWN = 6  # numbers of a list that are printed; all of them are in --json and --out


def lab(
    id: Annotated[
        str | None, typer.Argument(help="Id of an experiment, or run; without one, all experiments are listed")
    ] = None,
    file: Annotated[
        Path | None, typer.Argument(help="Of `lab run FILE`: what gradoscope.watch recorded of a training loop")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="PARAMETER=VALUE, e.g. length=50; repeatable")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of what the experiment draws")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for result.json, figures (SVG, PNG) and arrays (CSV, npy)")
    ] = None,
    as_text: Annotated[bool, typer.Option("--json", help="As JSON, as the REST interface has it")] = False,
) -> None:
    """Run an experiment of the lab here, without a server: what gradients do in time, depth, batches and optimisers.

    Prints what was found, and the numbers; --out writes the figures. `gradoscope lab run FILE` does the same with a
    training loop of your own, which gradoscope.watch recorded.
    """
    if id == RUN.id:
        _report(file, option, out, as_text)
        return
    if file is not None:
        raise Unprocessable(f"lab {id} {file}: only `lab run` takes a file.", field="file")
    if id is None:
        if option or out is not None:
            raise Unprocessable(f"lab: which experiment? There are: {', '.join(experiments())}.", field="id")
        _list(as_text)
        return
    chosen = find_experiment(id)
    given = parse_options(chosen, option or [])
    parameters = checked_parameters(chosen, given)
    with_bar = not as_text and chosen.cost(parameters) > QUICK_SECONDS
    _show(chosen, _run(chosen.id, as_json(parameters), seed, out, with_bar), out, as_text)


def _report(file: Path | None, option: list[str] | None, out: Path | None, as_text: bool) -> None:
    """What a recorded run says. Raises `Problem`."""
    from ..client.runs import read_run
    from ..pipeline.resume import require_writable

    if file is None or option:
        raise Unprocessable(
            "lab run: name the file that gradoscope.watch wrote, and no option: gradoscope lab run run.jsonl.",
            field="file",
        )
    if out is not None:
        require_writable(out)
    try:
        result = read_run(file).record
    except OSError as error:
        raise Unprocessable(f"{file} cannot be read: {error.strerror or error}.", field="file") from error
    _write(result, out)
    _show(RUN, result, out, as_text)


def _show(of: Worded, result: ExperimentResult, out: Path | None, as_text: bool) -> None:
    if as_text:
        typer.echo(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
        return
    _print(of, result)
    if out is not None:
        _print_written(out)


def parse_options(experiment: Experiment[Any], given: list[str]) -> JsonObject:
    """`["length=50"]` → `{"length": 50}`; values that are not JSON are strings, and so are those of parameters that
    take only text. Raises `Unprocessable`."""
    fields = schema(experiment)["properties"]
    options: JsonObject = {}
    for entry in given:
        name, equals, text = entry.partition("=")
        if not equals:
            raise Unprocessable(f"--option {entry}: write PARAMETER=VALUE, e.g. {next(iter(fields), 'length')}=….")
        options[name] = text if fields.get(name, {}).get("type") == "string" else _value(name, text)
    return options


def _value(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
    except RecursionError as error:
        raise Unprocessable(f"--option {name}: its value {TOO_DEEP}.") from error


def _run(id: str, parameters: JsonObject, seed: int, out: Path | None, with_bar: bool) -> ExperimentResult:
    """Run an experiment, and write its files. Raises `Problem`."""
    from ..client.experiments import experiment_listener
    from ..client.lab import run_here
    from ..pipeline.resume import require_writable

    if out is not None:
        require_writable(out)
    with experiment_listener(with_bar) as listener:
        result = run_here(id, parameters, seed, listener).record
    _write(result, out)
    return result


def _write(result: ExperimentResult, out: Path | None) -> None:
    """Write the files of a result into a folder, if one is named. Raises `Problem`."""
    from ..client.experiment_files import write_files

    if out is None:
        return
    try:
        write_files(result, out)
    except OSError as error:
        raise Problem(f"{out} cannot be written: {error}.") from error


def _list(as_text: bool) -> None:
    if as_text:
        listed = Experiments(experiments=[described(one) for one in experiments().values()])
        typer.echo(json.dumps(listed.to_dict(), indent=2, ensure_ascii=False))
        return
    for one in experiments().values():
        known = words(one)
        console.print(f"\n[bold]{one.id}[/]  {known['question']}", highlight=False)
        console.print(known["summary"], highlight=False, markup=False)
        for name, field in schema(one)["properties"].items():
            console.print(f"  -o {name}={_default(field)}  {field.get('title', '')}", highlight=False, markup=False)


def _default(field: JsonObject) -> str:
    default = field["default"]
    return default if isinstance(default, str) else json.dumps(default)


def _print(of: Worded, result: ExperimentResult) -> None:
    known = words(of)
    console.print(f"[bold]{known['question']}[/]\n", highlight=False)
    for finding in result.findings:
        word, colour = VERDICTS[finding.verdict]
        if claim := known.get(f"claim.{finding.id}"):
            console.print(Text(f"«{claim}»"), highlight=False, soft_wrap=True)
        console.print(Text.assemble((word, colour), f": {finding.text}\n"), highlight=False, soft_wrap=True)
    rows = Table("number", "value", box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, value in result.numbers.items():
        rows.add_row(Text(name), Text(shown(value)))
    console.print(rows, highlight=False)


def shown(value: Any) -> str:
    """A number, or the first ones of a list or a mapping, as text."""
    if isinstance(value, dict):
        parts = [f"{name}: {shown(inner)}" for name, inner in value.items()]
    elif isinstance(value, list):
        parts = [f"[{shown(inner)}]" if isinstance(inner, (list, dict)) else shown(inner) for inner in value]
    else:
        return number_text(value)
    rest = f", … ({len(parts)})" if len(parts) > MAX_SHOWN else ""
    return ", ".join(parts[:MAX_SHOWN]) + rest


def _print_written(out: Path) -> None:
    from ..client.experiment_files import can_draw

    hint = "" if can_draw() else "  Figures are drawn by matplotlib: pip install 'gradoscope[notebook]'."
    console.print(f"\n{out}/{hint}", highlight=False, markup=False, soft_wrap=True)
