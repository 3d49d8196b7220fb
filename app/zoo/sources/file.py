"""`kind = "file"`: a user's own weights, beside the card."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import nn

from ...images.input_spec import Input
from ..cards import Card, CardError, File
from ..checkpoint import BrokenCheckpoint, MismatchedWeights, match_state_dict, read_nested, with_versions
from ..labels import read_labels
from ..model_spec import ModelSpec
from ..weights import WeightFile
from .libraries import as_card_error, builders

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".pth.tar")


def model_spec(card: Card, source: File) -> ModelSpec:
    """Raises `CardError`."""
    path = card.folder / source.file.expanduser()
    if not path.name.endswith(SUFFIXES):
        raise CardError(f"{card.file}: source.file: {source.file} is none of {', '.join(SUFFIXES)}.")
    labels = read_labels(card)
    builders(card, len(labels))  # raises at once if the architecture is unknown
    return ModelSpec(
        card,
        WeightFile(str(path), sha256=source.sha256 or "", local=True),
        card.input or Input(),
        labels,
        partial(build, card, source),
        accuracy=card.accuracy,
        licence=card.licence,
        url=card.url,
        paper=card.paper,
    )


def build(card: Card, source: File, path: Path) -> nn.Module:
    """The card's architecture with the tensors of its file. Raises `CardError` with all mismatches."""
    checkpoint = read_nested(path, card.file)
    faults = []
    for name, builder in builders(card, len(read_labels(card))):
        network = builder()
        expected = network.state_dict()
        try:
            tensors = match_state_dict(expected, checkpoint, source.key, source.prefix).tensors
        except MismatchedWeights as mismatch:
            faults.append(f"{name}: {mismatch}")
            continue
        except BrokenCheckpoint as broken:
            raise CardError(f"{card.file}: {path.name} is broken: {broken}. Take an earlier checkpoint.") from broken
        with as_card_error(card, f"loading the weights into {name}"):
            network.load_state_dict(with_versions(tensors, getattr(expected, "_metadata", None)))
        return network
    raise CardError(f"{card.file}: {path.name} does not fit the architecture. {' · '.join(faults)}")
