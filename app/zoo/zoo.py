"""The models: listed by their cards, loaded when asked for, kept under a cap of bytes."""

from __future__ import annotations

import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from ..attribution.backends.selection import BackendSelector
from ..attribution.classifier import Classifier, NoLogits
from ..attribution.memory import give_back, out_of_memory, size_of
from ..contract.catalogue import LayerBody, ModelBody, PaperBody, WeightsBody
from ..contract.problems import Forbidden, NotFound, OutOfMemory, Problem, Unprocessable
from ..settings import Settings
from .cards import CardError, FaultyCard, read_cards
from .model_spec import ModelSpec
from .sources import card_of_id, model_spec_of
from .weights import Weights

log = logging.getLogger(__name__)
PATIENCE = 10.0  # seconds that others may overtake a run that waits for room
VIEWS = 4  # input sizes of a model whose census is kept


@dataclass
class _Resident:
    """A model in memory."""

    classifier: Classifier
    bytes: int
    source: tuple[str, int, int]  # path, time and size of its file: a file that was written anew is another model
    views: OrderedDict[tuple[int, int], Classifier] = field(default_factory=OrderedDict)

    @property
    def accelerators(self) -> list[BackendSelector]:
        """Those of the model and of its views; what they take can go at any time, and the model still works."""
        classifiers = (self.classifier, *self.views.values())
        return [c.accelerator for c in classifiers if c.accelerator is not None]

    @property
    def extra(self) -> int:
        """Bytes that the accelerators take beside the model."""
        return sum(accelerator.bytes for accelerator in self.accelerators)


@dataclass(frozen=True)
class _Known:
    """What was found out about a model when it was loaded; kept when it goes."""

    layers: list[LayerBody]
    parameters: int
    bytes: int


class Zoo:
    """Recipes by id, and the classifiers made from them, on one device.

    Whoever computes with a model holds it (`hold`): what is held is never unloaded. The bytes of all loaded models stay
    under `settings.model_bytes`; where that is not possible now, `room` says so, and the caller tries again later.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.device = choose_device(settings.device)
        self.weights = Weights(settings)
        self.recipes: dict[str, ModelSpec] = {}
        self.faults: list[FaultyCard] = []
        self._loaded: OrderedDict[str, _Resident] = OrderedDict()
        self._known: dict[str, _Known] = {}
        self._holders: Counter[str] = Counter()
        self._waiting: OrderedDict[object, float] = OrderedDict()
        self._changed = False
        self.refresh()

    def refresh(self) -> None:
        """Read the cards again. A model whose card has changed is loaded anew when it is next asked for."""
        cards, self.faults = read_cards(*self.settings.card_folders)
        before, self.recipes = self.recipes, {}
        for card in cards.values():
            try:
                old = before.get(card.id)
                self.recipes[card.id] = old if old and old.card == card and not _has_files(old) else model_spec_of(card)
            except CardError as error:
                self.faults.append(FaultyCard(card.file, error.detail))
        for id, recipe in before.items():  # those without a card stay listed
            if id not in cards and card_of_id(id) is not None:
                self.recipes[id] = recipe
        for id in list(self._loaded):
            if id not in self.recipes or _told(before[id]) != _told(self.recipes[id]):
                self._known.pop(id, None)
                self._drop(id)
        for fault in self.faults:
            log.warning("a card cannot be used: %s", fault.detail)
        self._changed = True

    def recipe(self, model: str) -> ModelSpec:
        """The recipe of a card, or of a model that timm or torchvision knows by that id.

        Raises `NotFound`; `Forbidden` where only the operator may have models without a card.
        """
        if model in self.recipes:
            return self.recipes[model]
        for fault in self.faults:
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
            recipe = self.recipes[model] = model_spec_of(card)
        except CardError as error:  # the id is the client's, not a card of the operator's
            raise NotFound(error.detail.replace(card.file, model), field="model") from error
        self._changed = True
        return recipe

    @contextmanager
    def hold(self, models: Iterable[str]) -> Iterator[None]:
        """Within: these models are not unloaded. Take `room` for them first."""
        held = tuple(models)
        self._holders.update(held)
        try:
            yield
        finally:
            self._holders.subtract(held)

    def room(self, models: Iterable[str], asker: object) -> bool:
        """Whether these models can be in memory together now, beside those that are held.

        Where they cannot, `asker` waits in line: others may overtake it for `PATIENCE` seconds, then they wait too.
        Raises `OutOfMemory` where they can never be.
        """
        wanted = dict.fromkeys(models)
        if sum(map(self.bytes_of, wanted)) > self.settings.model_bytes and len(wanted) == 1:
            (model,) = wanted
            raise self._too_big(model, self.bytes_of(model))
        held = {id for id, count in self._holders.items() if count > 0}
        fits = sum(map(self.bytes_of, {**wanted, **dict.fromkeys(held)})) <= self.settings.model_bytes
        now = time.monotonic()
        first = next(iter(self._waiting), None)
        barred = first is not None and first is not asker and now - self._waiting[first] > PATIENCE
        if fits and not barred:
            self._waiting.pop(asker, None)
            return True
        self._waiting.setdefault(asker, now)
        return False

    def leave(self, asker: object) -> None:
        """`asker` waits no longer."""
        self._waiting.pop(asker, None)

    def groups(self, models: Iterable[str]) -> list[list[str]]:
        """`models` in their order, in groups that fit into memory together."""
        groups: list[list[str]] = []
        total = 0
        for model in models:
            size = self.bytes_of(model)
            if not groups or total + size > self.settings.model_bytes:
                groups.append([])
                total = 0
            groups[-1].append(model)
            total += size
        return groups

    def bytes_of(self, model: str) -> int:
        """Memory that a model takes: as measured, or as its file is large; 0 where that is not here."""
        if model in self._known:
            return self._known[model].bytes
        path = self.weights.find(self.recipe(model).weights)
        return path.stat().st_size if path else 0

    def load(self, model: str, size: tuple[int, int] | None = None) -> Classifier:
        """The classifier of a model, in eval mode on the device, channels last; for pictures of `size` where given.

        Raises `NotFound`, `WeightsMissing`, `WrongWeights`, `CardError`, `OutOfMemory`.
        """
        recipe = self.recipe(model)
        path = self.weights.require(recipe.weights, model)
        about = path.stat()
        source = (str(path), about.st_mtime_ns, about.st_size)
        if model in self._loaded and self._loaded[model].source != source:
            self._drop(model)
        if model not in self._loaded:
            fingerprint = self.weights.verified(recipe.weights, path, model)
            if about.st_size > self.settings.model_bytes:
                raise self._too_big(model, about.st_size)
            self._make_room(about.st_size)
            classifier = self._build(recipe, recipe.build(path), fingerprint)
            resident = _Resident(classifier, size_of(classifier), source)
            if resident.bytes > self.settings.model_bytes:
                raise self._too_big(model, resident.bytes)
            self._make_room(resident.bytes)
            self._examine(recipe, resident)
            self._accelerate(classifier)
            self._loaded[model] = resident
            give_back()  # what reading the file took
            self._changed = True
        self._loaded.move_to_end(model)
        return self._view(self._loaded[model], size)

    def settle(self) -> bool:
        """A step towards the quickest gradients of what is loaded, for an idle moment; whether there are more."""
        accelerators = [a for resident in self._loaded.values() for a in resident.accelerators]
        return any(accelerator.settle() for accelerator in accelerators)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Ids of the models in memory, the least recently used first."""
        return tuple(self._loaded)

    @property
    def bytes(self) -> int:
        """Memory that the loaded models take, with what makes them quicker."""
        return sum(resident.bytes + resident.extra for resident in self._loaded.values())

    def labels(self, model: str) -> tuple[str, ...]:
        """Labels of a model's classes; the model itself need not be loaded for them. Raises `NotFound`."""
        return self.recipe(model).labels

    def take_change(self) -> bool:
        """Whether what `describe` tells may have changed since this was last asked."""
        changed, self._changed = self._changed, False
        return changed

    def describe(self, model: str) -> ModelBody:
        """What `GET /models` tells; layers are null until the model was loaded once."""
        recipe, known = self.recipes[model], self._known.get(model)
        card, file = recipe.card, self.weights.settled(recipe.weights)
        availability = self.weights.availability(recipe.weights)
        return ModelBody(
            id=card.id,
            title=card.title,
            architecture=card.architecture,
            source=card.source.kind,
            licence=recipe.licence,
            url=recipe.url,
            paper=PaperBody(title=recipe.paper.title, url=recipe.paper.url) if recipe.paper else None,
            accuracy=recipe.accuracy,
            input_size=list(recipe.input.size),
            channels=recipe.input.channels,
            fit=recipe.input.fit,
            classes=len(recipe.labels),
            parameters=known.parameters if known else recipe.parameters,
            availability=availability,
            remedy=None if availability == "ready" else self.weights.remedy(recipe.weights, model),
            weights=WeightsBody(file=file.file, bytes=file.size, sha256=file.sha256 or None),
            layers=known.layers if known else None,
        )

    def _build(self, recipe: ModelSpec, network: torch.nn.Module, fingerprint: str) -> Classifier:
        classifier = Classifier(
            network.float(),
            size=recipe.input.size,
            labels=recipe.labels,
            mean=recipe.input.mean,
            std=recipe.input.std,
            multilabel=recipe.multilabel,
            id=recipe.id,
            fingerprint=fingerprint,
        )
        return classifier.to(self.device).to(memory_format=torch.channels_last)

    def _examine(self, recipe: ModelSpec, resident: _Resident) -> None:
        """One probing pass: the card must not promise what the network does not keep."""
        classifier = resident.classifier
        try:
            with torch.no_grad():
                logits = classifier(classifier.grey())
            layers = classifier.census.layers
        except NoLogits as error:
            raise CardError(f"{recipe.card.file}: {error}. It is no classifier, or a part of one.") from error
        except Exception as error:
            if out_of_memory(error):
                raise
            raise CardError(
                f"{recipe.card.file}: the network does not take a picture of {recipe.input.channels}×"
                f"{recipe.input.size[0]}×{recipe.input.size[1]} ({str(error).splitlines()[0][:200]}). Mend `input` in "
                "the card."
            ) from error
        if logits.shape[1] != len(recipe.labels):
            raise CardError(
                f"{recipe.card.file}: the network answers with {logits.shape[1]} logits, the card has "
                f"{len(recipe.labels)} labels. Mend `labels` or `classes` in the card."
            )
        self._known[recipe.id] = _Known(
            [LayerBody(name=x.name, shape=list(x.shape), default=x is layers[-1]) for x in layers],
            sum(p.numel() for p in classifier.parameters()),
            resident.bytes,
        )

    def _view(self, resident: _Resident, size: tuple[int, int] | None) -> Classifier:
        if size is None or size == resident.classifier.size:
            return resident.classifier
        if size not in resident.views:
            resident.views[size] = self._accelerate(_at(resident.classifier, size), resident.classifier.accelerator)
            while len(resident.views) > VIEWS:
                resident.views.popitem(last=False)
        resident.views.move_to_end(size)
        return resident.views[size]

    def _make_room(self, wanted: int) -> None:
        """Unload models, the least recently used first, until `wanted` bytes more are under the cap.

        Before them goes what only makes them quicker.
        """
        for resident in self._loaded.values():
            if resident.extra and self.bytes + wanted > self.settings.model_bytes:
                for accelerator in resident.accelerators:
                    accelerator.release()
        idle = [id for id in self._loaded if self._holders[id] <= 0]
        while idle and self.bytes + wanted > self.settings.model_bytes:
            self._drop(idle.pop(0))

    def _accelerate(self, classifier: Classifier, base: BackendSelector | None = None) -> Classifier:
        kind, most = self.settings.acceleration, self.settings.batch_bytes
        classifier.accelerator = BackendSelector(classifier, kind, self._has_room, most, base)
        return classifier

    def _has_room(self, wanted: int) -> bool:
        return self.bytes + wanted <= self.settings.model_bytes

    def _drop(self, model: str) -> None:
        resident = self._loaded.pop(model, None)
        for accelerator in resident.accelerators if resident else ():
            accelerator.release()
        give_back()

    def _too_big(self, model: str, size: int) -> Problem:
        return OutOfMemory(
            f"{model} takes {size / 2**20:.0f} MiB of memory, and {self.settings.model_bytes / 2**20:.0f} are allowed "
            "for models. Raise GRADOSCOPE_MODEL_BYTES, or take a smaller model.",
            field="model",
        )

    def _unknown(self, model: str) -> str:
        return (
            f"There is no model «{model[:80]}». There are: {', '.join(self.recipes)}; and by the libraries' ids, e.g. "
            "timm:resnet50.a1_in1k or torchvision:resnet34."
        )


def _at(classifier: Classifier, size: tuple[int, int]) -> Classifier:
    """`classifier` for pictures of another size, tried. Raises `Unprocessable` where the network cannot take them."""
    view = classifier.at(size)
    try:
        view(view.grey())
        _ = view.census
    except Exception as error:
        if out_of_memory(error):
            raise
        own = "×".join(map(str, classifier.size))
        raise Unprocessable(
            f"size: {classifier.id} cannot take pictures of {size[0]}×{size[1]} ({str(error).splitlines()[0][:160]}). "
            f"Its own size is {own}.",
            field="size",
        ) from error
    return view


def _told(recipe: ModelSpec) -> tuple[Any, ...]:
    """What a classifier takes from its recipe."""
    return recipe.card, recipe.labels, recipe.input


def _has_files(recipe: ModelSpec) -> bool:
    """Whether files beside the card take part (labels): they may have changed though the card has not."""
    labels = recipe.card.labels
    return isinstance(labels, str) and labels != "imagenet-1k"


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
