"""The models in memory: loaded when asked for, the least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch

from ..settings import Settings
from .cards import Card, find_card, read_cards
from .classifier import Classifier
from .labels import read_labels
from .sources import available, load


class Zoo:
    """Cards of a folder and the classifiers loaded from them, on one device."""

    def __init__(self, settings: Settings) -> None:
        self.cards = read_cards(settings.models)
        self.device = choose_device(settings.device)
        self._capacity = settings.loaded_models
        self._loaded: OrderedDict[str, Classifier] = OrderedDict()
        self._changed = False

    def card(self, model: str) -> Card:
        return find_card(self.cards, model)

    def load(self, model: str) -> Classifier:
        """The classifier of a card, in eval mode on the device, channels last. Raises `NotFound`, `CardError`."""
        card = self.card(model)
        if model not in self._loaded:
            while len(self._loaded) >= self._capacity:
                self._loaded.popitem(last=False)
            self._loaded[model] = self._build(card)
            self._changed = True
        self._loaded.move_to_end(model)
        return self._loaded[model]

    def labels(self, model: str) -> tuple[str, ...]:
        """Labels of a card's classes; the model itself need not be loaded for them. Raises `NotFound`."""
        card = self.card(model)
        return read_labels(card.labels, card.classes)

    def take_change(self) -> bool:
        """Whether a model was loaded since this was last asked."""
        changed, self._changed = self._changed, False
        return changed

    def _build(self, card: Card) -> Classifier:
        loaded = load(card)
        classifier = Classifier(
            loaded.network,
            size=card.input.size,
            labels=self.labels(card.id),
            mean=card.input.mean,
            std=card.input.std,
            id=card.id,
            fingerprint=loaded.fingerprint,
        )
        return classifier.to(self.device).to(memory_format=torch.channels_last)

    def describe(self, model: str) -> dict[str, Any]:
        """What `GET /models` tells; layers and parameters are null until the model was loaded once."""
        card, classifier = self.card(model), self._loaded.get(model)
        layers = classifier.census.layers if classifier else None
        return {
            "id": card.id,
            "title": card.title,
            "architecture": card.architecture,
            "source": card.source.kind,
            "licence": card.licence,
            "url": card.url,
            "input_size": list(card.input.size),
            "classes": card.classes,
            "parameters": sum(p.numel() for p in classifier.parameters()) if classifier else None,
            "availability": "ready" if available(card) else "missing",
            "layers": layers and [{"name": x.name, "shape": list(x.shape), "default": x is layers[-1]} for x in layers],
        }


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
