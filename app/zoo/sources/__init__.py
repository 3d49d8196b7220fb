"""The sources of models: one module for each `kind` of source in a card."""

from __future__ import annotations

from ..cards import Card, Embedded, File, Timm, Torchvision
from ..model_spec import ModelSpec
from . import embedded, file, timm, torchvision


def model_spec_of(card: Card) -> ModelSpec:
    """Complete a card with what its source knows. Raises `CardError`."""
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
    """The card of a model without a card file: `timm:NAME.TAG`, `torchvision:NAME`. None for other ids."""
    return timm.card_of(id) or torchvision.card_of(id)
