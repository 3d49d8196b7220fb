"""Where models come from: one module for each `kind` of source that a card can name."""

from __future__ import annotations

from ..cards import Card, Embedded, File, Timm, Torchvision
from ..model_spec import ModelSpec
from . import embedded, file, timm, torchvision


def model_spec_of(card: Card) -> ModelSpec:
    """A card with what its source knows filled in. Raises `CardError`."""
    source = card.source
    if isinstance(source, Embedded):
        return embedded.model_spec(card, source)
    if isinstance(source, Torchvision):
        return torchvision.model_spec(card, source)
    if isinstance(source, Timm):
        return timm.model_spec(card, source)
    assert isinstance(source, File)
    return file.model_spec(card, source)


def card_of_id(id: str) -> Card | None:
    """The card of a model that its library knows by id, without a file: `timm:NAME.TAG`, `torchvision:NAME`."""
    return timm.card_of(id) or torchvision.card_of(id)
