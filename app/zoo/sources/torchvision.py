"""`kind = "torchvision"`: a weights enum of torchvision, which knows file, transforms, categories and accuracy."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from torch import nn

from ...images.input_spec import Input
from ..cards import Card, CardError, Paper, Torchvision
from ..checkpoint import read_checkpoint
from ..labels import read_labels
from ..library_imports import torchvision_models
from ..model_spec import ModelSpec
from ..weights import WeightFile
from .libraries import as_card_error, knows_torchvision, unknown_to_torchvision

HASH = re.compile(r"-([0-9a-f]{8,64})\.pth$")
MEGABYTE = 2**20  # the unit of torchvision's file sizes


def model_spec(card: Card, source: Torchvision) -> ModelSpec:
    """The card, completed by the enum; values in the card take precedence. Raises `CardError`."""
    entry = weights_of(card, source)
    hash_in_name = HASH.search(entry.url)
    if hash_in_name is None:
        raise CardError(f"{card.file}: the file of {source.weights} has no hash in its name to be checked against.")
    metrics = entry.meta.get("_metrics", {}).get("ImageNet-1K", {})
    return ModelSpec(
        card,
        WeightFile(
            f"checkpoints/{entry.url.rpartition('/')[2]}",
            entry.url,
            hash_in_name[1],
            size=round(entry.meta["_file_size"] * MEGABYTE),
        ),
        card.input or input_of(entry),
        tuple(entry.meta["categories"]) if card.labels is None else read_labels(card),
        partial(build, card, entry),
        accuracy=metrics.get("acc@1") if card.accuracy is None else card.accuracy,
        licence=card.licence,
        url=card.url or entry.meta.get("recipe", ""),
        paper=card.paper,
        parameters=entry.meta.get("num_params"),
    )


def weights_of(card: Card, source: Torchvision) -> Any:
    """The member of the weights enum that a card names."""
    models = torchvision_models()
    if not knows_torchvision(card.architecture):
        raise unknown_to_torchvision(card, card.architecture)
    known = models.get_model_weights(card.architecture)
    if source.weights not in known.__members__:
        names = ", ".join(known.__members__)
        raise CardError(f"{card.file}: source.weights: {card.architecture} has no «{source.weights}». It has: {names}.")
    return known[source.weights]


def input_of(entry: Any) -> Input:
    """The enum's own evaluation transforms."""
    transforms = entry.transforms()
    (side,), (resize,) = transforms.crop_size, transforms.resize_size
    return Input(
        size=(side, side),
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        interpolation=transforms.interpolation.value,
        resize=resize,
    )


def build(card: Card, entry: Any, path: Path) -> nn.Module:
    """`torchvision.models.get_model` with the enum, for its auxiliary heads, input transform and renamed tensors.

    The file is read here, because torch.hub would unpickle any object in it.
    """
    models = torchvision_models()
    from torchvision.models._api import WeightsEnum

    state = read_checkpoint(path, card.file)
    with (
        patch.object(WeightsEnum, "get_state_dict", lambda *_, **__: state),
        as_card_error(card, f"torchvision.models.{card.architecture}"),
    ):
        network: nn.Module = models.get_model(card.architecture, weights=entry, **card.arguments)
    return network


def card_of(id: str) -> Card | None:
    """The card for `torchvision:NAME` or `torchvision:NAME.WEIGHTS`; None if torchvision has no such model."""
    name, _, weights = id.removeprefix("torchvision:").partition(".")
    if not id.startswith("torchvision:") or not knows_torchvision(name):
        return None
    return Card(
        id=id,
        title=f"{name} (torchvision)",
        architecture=name,
        source=Torchvision(kind="torchvision", weights=weights or "DEFAULT"),
        licence="BSD-3-Clause",
        paper=Paper(title="torchvision's documentation", url="https://docs.pytorch.org/vision/stable/models.html"),
    )
