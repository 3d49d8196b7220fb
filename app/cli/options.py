"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from ..contract.arrays import ScoreKind
from ..contract.jobs import Fit, Quality
from ..contract.parsing import one_of
from ..contract.problems import Unprocessable
from ..settings import Settings, operator_settings

ModelIds = Annotated[list[str] | None, typer.Option("--model", help="Model id, repeatable")]
MethodIds = Annotated[
    list[str] | None, typer.Option("--method", help="Method id, repeatable; the six where none is named")
]
FitText = Annotated[str | None, typer.Option("--fit", help="crop, pad or squash; else the model's own way")]
QualityText = Annotated[
    str | None,
    typer.Option("--quality", help="quick, good or exact; else each method's defaults. --option counts more"),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Folders below, too")]
ModelFolder = Annotated[
    Path | None, typer.Option("--models", help="Folder of your own model cards [GRADOSCOPE_MODELS]", metavar="DIR")
]


def settings_with(models: Path | None, cluster: str | None = None) -> Settings:
    """The settings of a command, with the folder of cards that it names. Raises `Unprocessable` if no card is there,
    or the models are those of a cluster."""
    if models is None:
        return operator_settings()
    if cluster:
        raise Unprocessable(
            "--models is of a run on this machine. On a cluster, the replicas' GRADOSCOPE_MODELS names the folder.",
            field="models",
        )
    folder = models.expanduser()
    if not folder.is_dir():
        raise Unprocessable(f"--models: there is no folder {models}.", field="models")
    if not any(folder.glob("*.toml")):
        raise Unprocessable(
            f"--models: there is no card in {models}: no file in it ends in .toml. docs/your-own-model.md says how to "
            "write one.",
            field="models",
        )
    return operator_settings(models=folder)


def fit_of(text: str | None) -> Fit | None:
    """Parse --fit. Raises `Unprocessable`."""
    return None if text is None else cast(Fit, one_of("fit", text, get_args(Fit)))


def quality_of(text: str | None) -> Quality | None:
    """Parse --quality. Raises `Unprocessable`."""
    return None if text is None else cast(Quality, one_of("quality", text, get_args(Quality)))


def score_of(text: str) -> ScoreKind:
    """Parse --score. Raises `Unprocessable`."""
    return cast(ScoreKind, one_of("score", text, get_args(ScoreKind)))
