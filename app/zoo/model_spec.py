"""A card completed with what the library of its source knows: enough to list, download and build the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ..images.input_spec import Input
from .cards import Card, Paper
from .weights import WeightFile


@dataclass(frozen=True)
class ModelSpec:
    """A completed card. `build` makes the network with the weights of a file, on the CPU in float32; it raises
    `CardError`."""

    card: Card
    weights: WeightFile
    input: Input
    labels: tuple[str, ...]
    build: Callable[[Path], nn.Module]
    accuracy: float | None = None
    licence: str = ""
    url: str = ""
    paper: Paper | None = None
    parameters: int | None = None

    @property
    def id(self) -> str:
        return self.card.id

    @property
    def multilabel(self) -> bool:
        return self.card.outputs == "sigmoid"
