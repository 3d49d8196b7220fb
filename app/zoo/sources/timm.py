"""`kind = "timm"`: a timm model on the Hugging Face hub, at one commit of its repository."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from ...contract.jobs import Fit
from ...images.input_spec import Input
from ..cards import Card, CardError, Paper, Timm
from ..checkpoint import read_checkpoint
from ..labels import imagenet, numbered, read_labels
from ..library_imports import timm_library
from ..model_spec import ModelSpec
from ..weights import Hub, WeightFile
from .libraries import as_card_error

FITS: dict[str, Fit] = {"center": "crop", "border": "pad", "squash": "squash"}


def model_spec(card: Card, source: Timm) -> ModelSpec:
    """The card, completed by timm's configuration; values in the card take precedence. Raises `CardError`."""
    config = config_of(card)
    hub = Hub(config.hf_hub_id)
    weights = WeightFile(f"hub/{hub.repository}/{hub.file}", hub=hub)
    if source.revision:
        weights = weights.pinned(source.revision, source.sha256 or "", size=None)
    return ModelSpec(
        card,
        weights,
        card.input or input_of(config),
        labels_of(config) if card.labels is None else read_labels(card),
        partial(build, card),
        accuracy=card.accuracy,
        licence=card.licence if card.licence != "not stated" else config.license or card.licence,
        url=card.url or f"https://huggingface.co/{config.hf_hub_id}",
        paper=card.paper or _paper(config),
    )


def config_of(card: Card) -> Any:
    """timm's pretrained configuration of an architecture with a tag, such as `resnet50.a1_in1k`."""
    timm = timm_library()
    config = timm.get_pretrained_cfg(card.architecture)
    if config is None or not str(config.hf_hub_id or "").startswith("timm/"):
        near = timm.list_pretrained(f"{card.architecture.partition('.')[0]}*")[:5]
        hint = f" Near: {', '.join(near)}." if near else ""
        raise CardError(f"{card.file}: architecture: timm has no weights «{card.architecture}» on the hub.{hint}")
    if not config.num_classes:
        raise CardError(f"{card.file}: {card.architecture} is no classifier: its weights have no classes.")
    return config


def input_of(config: Any) -> Input:
    _, height, width = config.input_size
    return Input(
        size=(height, width),
        mean=tuple(config.mean),
        std=tuple(config.std),
        interpolation=config.interpolation,
        fit=FITS[config.crop_mode or "center"],
        crop_fraction=config.crop_pct or 0.875,
    )


def labels_of(config: Any) -> tuple[str, ...]:
    if config.label_names and len(config.label_names) == config.num_classes:
        described = config.label_descriptions or {}
        return tuple(described.get(name, name) for name in config.label_names)
    return imagenet(config.num_classes) or numbered(config.num_classes)


def build(card: Card, path: Path) -> nn.Module:
    """`timm.create_model` with the weights of `path`, loaded by timm itself (it may rename tensors)."""
    timm = timm_library()
    state = read_checkpoint(path, card.file)
    with as_card_error(card, f"timm.create_model({card.architecture!r})"):
        network: nn.Module = timm.create_model(
            card.architecture,
            pretrained=True,
            pretrained_cfg_overlay={"state_dict": state, "custom_load": False},
            **card.arguments,
        )
    vars(network)["pretrained_cfg"].pop("state_dict", None)  # otherwise it stays in memory
    return network


def card_of(id: str) -> Card | None:
    """The card for `timm:NAME.TAG`; None if timm has no such weights."""
    timm = timm_library()
    name = id.removeprefix("timm:")
    if not id.startswith("timm:") or not timm.is_model(name.partition(".")[0]) or not timm.get_pretrained_cfg(name):
        return None
    return Card(id=id, title=f"{name} (timm)", architecture=name, source=Timm(kind="timm"))


def _paper(config: Any) -> Paper | None:
    ids = config.paper_ids or ()
    for paper in (ids,) if isinstance(ids, str) else ids:
        if paper.startswith("arXiv:"):
            return Paper(title=config.paper_name or paper, url=f"https://arxiv.org/abs/{paper.removeprefix('arXiv:')}")
    return None
