"""gradoscope explain: one picture, or many pictures with the same options."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..contract.jobs import Explain
from ..contract.parsing import TOO_DEEP, parse_class, parse_size, parse_target
from ..contract.problems import Unprocessable
from ..contract.wire import JsonObject
from ..images.image_files import ImageFile, find_image_files, is_one_file, left_out
from ..settings import Settings, operator_settings
from ..storage.temporary import temporary_folder
from . import cluster as cli_cluster
from .options import fit_of, score_of

console = Console()
INTERRUPTED = 130  # the exit code of shells


def explain(
    images: Annotated[list[Path], typer.Argument(help="Pictures, folders of pictures, patterns", metavar="IMAGE…")],
    model: Annotated[list[str] | None, typer.Option(help="Model id, repeatable")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Method id, repeatable; the six where none is named")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Class index or label, repeatable; else the top class")
    ] = None,
    against: Annotated[str | None, typer.Option(help="Class index or label to contrast the target with")] = None,
    score: Annotated[str, typer.Option(help="logit, log_probability or probability")] = "logit",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="METHOD.PARAMETER=VALUE, e.g. smooth_grad.samples=100; or of a metric"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the methods that draw")] = 0,
    fit: Annotated[str | None, typer.Option(help="crop, pad or squash; else the model's own way")] = None,
    size: Annotated[str | None, typer.Option(help="Input size: a side in pixels, or HEIGHTxWIDTH")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="What to measure of each map, repeatable, or all; of many pictures, see evaluate"),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Folders below, too")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results [explanations/IMAGE, explanations/DIR/IMAGE.jpg]")
    ] = None,
    cluster: cli_cluster.Address = None,
) -> None:
    """Explain pictures here, without a server: PNG, npy and JSON, and a contact sheet of each.

    Of many pictures, those that have results already are skipped, so an interrupted run continues. Exit code 1 if some
    could not be explained.
    """
    single = is_one_file(images) and not cluster
    if metric and not single:
        raise Unprocessable("--metric is of one picture here. Many pictures are measured by gradoscope evaluate.")
    settings = operator_settings()
    job = Explain(
        id=secrets.token_hex(16) if single else "",
        picture=_read(images[0]) if single else b"",
        models=tuple(model or ()),
        methods=tuple(method or ()),
        targets=tuple(map(parse_target, target or ())),
        against=parse_class(against),
        score=score_of(score),
        options=parse_options(option or []),
        seed=seed,
        fit=fit_of(fit),
        size=parse_size(size),
        metrics=tuple(metric or ()),
    )
    if cluster:
        _explain_all(_find(images, out, recursive), job, settings, cluster)
        return
    with temporary_folder() as store:
        settings = settings.model_copy(update={"store": store})
        if single:
            from .explain_run import explain_one

            explain_one(job, settings, out or Path("explanations") / images[0].stem, console)
        else:
            _explain_all(_find(images, out, recursive), job, settings, None)


def _read(image: Path) -> bytes:
    """The bytes of a picture. Raises `Unprocessable`."""
    try:
        return image.read_bytes()
    except OSError as error:
        raise Unprocessable(f"{image} cannot be read: {error.strerror or error}.") from error


def _find(images: list[Path], out: Path | None, recursive: bool) -> list[ImageFile]:
    """The pictures to explain; what is passed over is told."""
    entries = find_image_files(images, out, recursive)
    if said := left_out(images, out, recursive):
        console.print(said, highlight=False, markup=False)
    return entries


def _explain_all(entries: list[ImageFile], request: Explain, settings: Settings, cluster: str | None) -> None:
    """Explain many pictures. Raises `typer.Exit` if some could not be explained, or if it is interrupted."""
    try:
        if cluster:
            cli_cluster.require_ray()
            from .cluster_batch import explain_on_cluster

            complete = explain_on_cluster(entries, request, settings, cluster, console)
        else:
            from .explain_run import explain_many

            complete = explain_many(entries, request, settings, console)
    except KeyboardInterrupt:
        console.print("Interrupted. The same command goes on where this one was.", highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    if not complete:
        raise typer.Exit(1)


def parse_options(given: list[str]) -> dict[str, JsonObject]:
    """`["smooth_grad.samples=100"]` → `{"smooth_grad": {"samples": 100}}`; values that are not JSON are strings."""
    options: dict[str, JsonObject] = {}
    for entry in given:
        name, equals, text = entry.partition("=")
        method, dot, parameter = name.partition(".")
        if not equals or not dot:
            raise Unprocessable(f"--option {entry}: write METHOD.PARAMETER=VALUE, e.g. smooth_grad.samples=100.")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        except RecursionError as error:
            raise Unprocessable(f"--option {name}: its value {TOO_DEEP}.") from error
        options.setdefault(method, {})[parameter] = value
    return options
