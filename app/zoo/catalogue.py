"""Which models there are: by the operator's cards, and by the libraries' own ids."""

from __future__ import annotations

import logging

from ..contract.catalogue import ModelBody, PaperBody, WeightsBody
from ..contract.parsing import did_you_mean
from ..contract.problems import Forbidden, NotFound
from ..settings import Settings
from .cards import CardError, FaultyCard, read_cards
from .model_spec import ModelSpec
from .sources import card_of_id, model_spec_of
from .weights import Weights

log = logging.getLogger(__name__)


class Catalogue:
    """Model specs by id, and the cards that cannot be used. `changed` says whether they have changed since
    `pop_changed` was last called."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.weights = Weights(settings)
        self.specs: dict[str, ModelSpec] = {}
        self.faulty_cards: list[FaultyCard] = []
        self.changed = False

    def read(self) -> list[str]:
        """Read the cards again. Ids of the models that are gone, or are no longer what they were."""
        cards, self.faulty_cards = read_cards(*self.settings.card_folders)
        before, self.specs = self.specs, {}
        for card in cards.values():
            try:
                old = before.get(card.id)
                self.specs[card.id] = old if old and old.card == card and not _has_files(old) else model_spec_of(card)
            except CardError as error:
                self.faulty_cards.append(FaultyCard(card.file, error.detail))
        for id, spec in before.items():  # those without a card stay listed
            if id not in cards and card_of_id(id) is not None:
                self.specs[id] = spec
        for fault in self.faulty_cards:
            log.warning("a card cannot be used: %s", fault.detail)
        self.changed = True
        return [id for id, old in before.items() if id not in self.specs or not _same(old, self.specs[id])]

    def spec(self, model: str) -> ModelSpec:
        """The spec of a card, or of a model that timm or torchvision knows by that id.

        Raises `NotFound`; `Forbidden` where only the operator may have models without a card.
        """
        if model in self.specs:
            return self.specs[model]
        for fault in self.faulty_cards:
            if fault.card == f"{model}.toml":
                raise CardError(fault.detail, field="model")
        card = card_of_id(model[:200])
        if card is None:
            raise NotFound(self._unknown(model), field="model")
        if self.settings.downloads != "any":
            raise Forbidden(
                f"{model}: models without a card are not allowed here. The operator allows them by "
                "GRADOSCOPE_DOWNLOADS=any, or writes a card.",
                field="model",
            )
        try:
            spec = self.specs[model] = model_spec_of(card)
        except CardError as error:  # the id is the client's, not a card of the operator's
            raise NotFound(error.detail.replace(card.file, model), field="model") from error
        self.changed = True
        return spec

    def labels(self, model: str) -> tuple[str, ...]:
        """Labels of a model's classes; the model itself need not be loaded for them. Raises `NotFound`."""
        return self.spec(model).labels

    def pop_changed(self) -> bool:
        """Whether the models may have changed since this was last called."""
        changed, self.changed = self.changed, False
        return changed

    def about(self, model: str) -> ModelBody:
        """What is known of a model before it is loaded, as `GET /models` tells it."""
        spec = self.specs[model]
        card, file = spec.card, self.weights.with_pinned_revision(spec.weights)
        availability = self.weights.availability(spec.weights)
        return ModelBody(
            id=card.id,
            title=card.title,
            architecture=card.architecture,
            source=card.source.kind,
            licence=spec.licence,
            url=spec.url,
            paper=PaperBody(title=spec.paper.title, url=spec.paper.url) if spec.paper else None,
            accuracy=spec.accuracy,
            input_size=list(spec.input.size),
            channels=spec.input.channels,
            fit=spec.input.fit,
            classes=len(spec.labels),
            parameters=spec.parameters,
            availability=availability,
            remedy=None if availability == "ready" else self.weights.remedy(spec.weights, model),
            weights=WeightsBody(file=file.file, bytes=file.size, sha256=file.sha256 or None),
            layers=None,
        )

    def _unknown(self, model: str) -> str:
        return (
            f"There is no model «{model[:80]}».{did_you_mean(model, self.specs)} There are: "
            f"{', '.join(self.specs)}; and by the libraries' ids, e.g. timm:resnet50.a1_in1k or torchvision:resnet34."
        )


def _same(one: ModelSpec, other: ModelSpec) -> bool:
    """Whether both give the same classifier."""
    return (one.card, one.labels, one.input) == (other.card, other.labels, other.input)


def _has_files(spec: ModelSpec) -> bool:
    """Whether the labels are in a file beside the card: it may have changed though the card has not."""
    labels = spec.card.labels
    return isinstance(labels, str) and labels != "imagenet-1k"
