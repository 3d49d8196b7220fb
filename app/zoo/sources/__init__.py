"""Where models come from: one module for each `kind` of source that a card can name."""

from __future__ import annotations

from ..cards import Card, Embedded, File, Timm, Torchvision
from ..model_spec import Recipe
from . import embedded, file, timm, torchvision


def recipe_of(card: Card) -> Recipe:
    """A card with what its source knows filled in. Raises `CardError`."""
    source = card.source
    if isinstance(source, Embedded):
        return embedded.recipe(card, source)
    if isinstance(source, Torchvision):
        return torchvision.recipe(card, source)
    if isinstance(source, Timm):
        return timm.recipe(card, source)
    assert isinstance(source, File)
    return file.recipe(card, source)


def card_of_id(id: str) -> Card | None:
    """The card of a model that its library knows by id, without a file: `timm:NAME.TAG`, `torchvision:NAME`."""
    return timm.card_of(id) or torchvision.card_of(id)
