"""gradoscope explain: one picture, or many pictures with the same options."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from rich.console import Console

from ..contract.arrays import npy
from ..contract.jobs import Explain
from ..contract.parsing import TOO_DEEP, parse_class, parse_size, parse_target
from ..contract.problems import Problem, Unprocessable
from ..contract.regions import run_lengths
from ..contract.uploaded_map import checked_title, uploaded_values
from ..contract.wire import JsonObject
from ..images.image_files import ImageFile, find_image_files, is_one_file, left_out, results_folder
from ..settings import Settings
from ..storage.temporary import temporary_folder
from . import cluster as cli_cluster
from .options import (
    FitText,
    MethodIds,
    ModelFolder,
    ModelIds,
    QualityText,
    Recursive,
    fit_of,
    quality_of,
    score_of,
    settings_with,
)

console = Console()
MASK = "mask"  # the parameter whose value may be a file
INTERRUPTED = 130  # the exit code of shells
ForeignMaps = Annotated[
    list[str] | None,
    typer.Option(
        "--map", help="TITLE=FILE.npy, repeatable: a map made elsewhere, to stand beside those of one picture"
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(help="What to measure of each map, repeatable, or all; of many pictures, see evaluate"),
]
Out = Annotated[
    Path | None, typer.Option(help="Folder for the results [explanations/IMAGE, explanations/DIR/IMAGE.jpg]")
]


def explain(
    images: Annotated[list[Path], typer.Argument(help="Pictures, folders of pictures, patterns", metavar="IMAGE…")],
    model: ModelIds = None,
    method: MethodIds = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Class index or label, repeatable; else the top class")
    ] = None,
    against: Annotated[str | None, typer.Option(help="Class index or label to contrast the target with")] = None,
    score: Annotated[str, typer.Option(help="logit, log_probability or probability")] = "logit",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="METHOD.PARAMETER=VALUE, e.g. smooth_grad.samples=100; or of a metric"),
    ] = None,
    quality: QualityText = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the methods that draw")] = 0,
    fit: FitText = None,
    size: Annotated[str | None, typer.Option(help="Input size: a side in pixels, or HEIGHTxWIDTH")] = None,
    metric: Metrics = None,
    foreign: ForeignMaps = None,
    recursive: Recursive = False,
    out: Out = None,
    npz: Annotated[bool, typer.Option("--npz", help="All maps of many pictures in one file, too: maps.npz")] = False,
    models: ModelFolder = None,
    cluster: cli_cluster.Address = None,
) -> None:
    """Explain pictures here, without a server: PNG, npy and JSON, and a contact sheet of each.

    Of many pictures, those that have results already are skipped, so an interrupted run continues; index.csv has a row
    for each map. Exit code 1 if some could not be explained.
    """
    single = is_one_file(images) and not cluster
    _check_count(single, metrics=bool(metric), maps=bool(foreign), npz=npz)
    maps = [_foreign_map(text) for text in foreign or ()]
    settings = settings_with(models, cluster)
    job = Explain(
        id=secrets.token_hex(16) if single else "",
        picture=_read(images[0]) if single else b"",
        models=tuple(model or ()),
        methods=tuple(method or ()),
        targets=tuple(map(parse_target, target or ())),
        against=parse_class(against),
        score=score_of(score),
        options=parse_options(option or []),
        quality=quality_of(quality),
        seed=seed,
        fit=fit_of(fit),
        size=parse_size(size),
        metrics=tuple(metric or ()),
    )
    if cluster:
        _explain_all(_find(images, out, recursive), job, settings, cluster, results_folder(images, out), npz)
        return
    with temporary_folder() as store:
        settings = settings.model_copy(update={"store": store})
        if single:
            from .explain_run import explain_one

            explain_one(job, settings, out or Path("explanations") / images[0].stem, console, maps)
        else:
            _explain_all(_find(images, out, recursive), job, settings, None, results_folder(images, out), npz)


def _check_count(single: bool, *, metrics: bool, maps: bool, npz: bool) -> None:
    """Raises `Unprocessable` for what goes with one picture or with many alone."""
    if metrics and not single:
        raise Unprocessable("--metric is of one picture here. Many pictures are measured by gradoscope evaluate.")
    if maps and not single:
        raise Unprocessable("--map: a map is of one picture. Explain it by itself.")
    if npz and single:
        raise Unprocessable("--npz is of many pictures. The map of one is a .npy among its results.")


def _read(image: Path) -> bytes:
    """The bytes of a picture. Raises `Unprocessable`."""
    try:
        return image.read_bytes()
    except OSError as error:
        raise Unprocessable(f"{image} cannot be read: {error.strerror or error}.") from error


def _foreign_map(text: str) -> tuple[str, bytes]:
    """The title of a map that was made elsewhere, and the map as .npy. Raises `Unprocessable`."""
    title, equals, file = text.partition("=")
    if not equals:
        raise Unprocessable(f"--map {text}: write TITLE=FILE.npy.")
    return checked_title(title), npy(uploaded_values(_read(Path(file))))


def _find(images: list[Path], out: Path | None, recursive: bool) -> list[ImageFile]:
    """The pictures to explain; what is passed over is told."""
    entries = find_image_files(images, out, recursive)
    if said := left_out(images, out, recursive):
        console.print(said, highlight=False, markup=False)
    return entries


def _explain_all(
    entries: list[ImageFile], request: Explain, settings: Settings, cluster: str | None, root: Path, npz: bool
) -> None:
    """Explain many pictures, and write their index into `root`, with `npz` their maps too. Raises `typer.Exit` if some
    could not be explained, or if it is interrupted."""
    try:
        if cluster:
            cli_cluster.require_ray()
            from .cluster_batch import explain_on_cluster

            failed = explain_on_cluster(entries, request, settings, cluster, console)
        else:
            from .explain_run import explain_many

            failed = explain_many(entries, request, settings, console)
        _write_index(root, entries, failed, npz)
    except KeyboardInterrupt:
        console.print("Interrupted. The same command goes on where this one was.", highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    if failed:
        raise typer.Exit(1)


def mask_of(path: Path) -> str:
    """The run lengths of a mask from a picture: what is brighter than half is inside. Raises `Unprocessable`."""
    try:
        with Image.open(path) as picture:
            return run_lengths(np.asarray(picture.convert("L")) > 127)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise Unprocessable(f"--option: {path} cannot be read as a mask: {error}.") from error


def _write_index(root: Path, entries: list[ImageFile], failed: Mapping[Path, Problem], npz: bool) -> None:
    from ..pipeline.folder_index import INDEX, MAPS, write_index, write_maps

    root.mkdir(parents=True, exist_ok=True)  # no picture may have had results
    write_index(root, entries, failed)
    if npz:
        write_maps(root)
    console.print(f"{root / INDEX}{f', {root / MAPS}' if npz else ''}", highlight=False, markup=False, soft_wrap=True)


def parse_options(given: list[str]) -> dict[str, JsonObject]:
    """`["smooth_grad.samples=100"]` → `{"smooth_grad": {"samples": 100}}`; values that are not JSON are strings.

    A mask may be `@FILE`, a picture of the input's size.
    """
    options: dict[str, JsonObject] = {}
    for entry in given:
        name, equals, text = entry.partition("=")
        method, dot, parameter = name.partition(".")
        if not equals or not dot:
            raise Unprocessable(f"--option {entry}: write METHOD.PARAMETER=VALUE, e.g. smooth_grad.samples=100.")
        if parameter == MASK and text.startswith("@"):
            text = mask_of(Path(text[1:]))
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        except RecursionError as error:
            raise Unprocessable(f"--option {name}: its value {TOO_DEEP}.") from error
        options.setdefault(method, {})[parameter] = value
    return options
