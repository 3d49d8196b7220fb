"""The models: listed by their cards, loaded when asked for, kept under a cap of bytes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..attribution.backends.selection import BackendSelector, Kind
from ..attribution.behaviour import Behaviour
from ..attribution.classifier import Classifier
from ..attribution.memory import out_of_memory, release_freed_memory, size_of
from ..attribution.torch_state import clean_state
from ..contract.catalogue import ModelBody
from ..contract.problems import OutOfMemory, Problem
from ..settings import Settings
from .cards import FaultyCard
from .catalogue import Catalogue
from .loader import LoadedModel, ModelFacts, build_classifier, check_network, classifier_at_size, usable_device
from .memory import ModelMemory, ResidentModel
from .model_spec import ModelSpec

log = logging.getLogger(__name__)
FileVersion = tuple[str, int, int]  # path, mtime and size: they change when the file is replaced
VIEWS = 4  # input sizes of a model whose inspection and backend are kept


@dataclass(frozen=True)
class BrokenWeights:
    """A file of weights that could not be used, and why."""

    version: FileVersion
    detail: str


def version_of(path: Path) -> FileVersion:
    """What tells a file from the one that was at its path before."""
    about = path.stat()
    return str(path), about.st_mtime_ns, about.st_size


class Zoo(Catalogue):
    """The catalogue, and the models made from it, on one device.

    Whoever computes with a model calls `request_room` for it and holds it (`hold`); see `ModelMemory`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.device = usable_device(settings.device)
        self.memory = ModelMemory(settings.model_bytes, self.bytes_of)
        self._facts: dict[str, ModelFacts] = {}
        self._broken: dict[str, BrokenWeights] = {}  # by model
        self.refresh()

    def refresh(self) -> None:
        """Read the cards again. A model whose card has changed is loaded anew when it is next asked for."""
        for id in self.read():
            if id in self.memory.loaded:
                self._facts.pop(id, None)
                self.memory.drop(id)

    def hold(self, models: Iterable[str]) -> AbstractContextManager[None]:
        """A context in which these models are not unloaded. Call `request_room` for them first."""
        return self.memory.hold(models)

    def request_room(self, models: Iterable[str], asker: object) -> bool:
        """See `ModelMemory.request_room`. Raises `OutOfMemory` where there can never be room."""
        return self.memory.request_room(models, asker)

    def withdraw_request(self, asker: object) -> None:
        """`asker` waits for room no longer."""
        self.memory.withdraw_request(asker)

    def groups(self, models: Iterable[str]) -> list[list[str]]:
        """`models` in their order, in groups that fit into memory together."""
        return self.memory.groups(models)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Ids of the models in memory, the least recently used first."""
        return self.memory.loaded

    @property
    def bytes(self) -> int:
        """Memory that the loaded models and their backends need."""
        return self.memory.bytes

    def bytes_of(self, model: str) -> int:
        """Memory that a model needs: as measured when it was loaded, else the size of its file; 0 without a file."""
        if model in self._facts:
            return self._facts[model].bytes
        path = self.weights.find(self.spec(model).weights)
        return path.stat().st_size if path else 0

    def resident(self, model: str) -> LoadedModel | None:
        """A model that is in memory, for pictures of its own size; None where it is not. Loads nothing."""
        resident = self.memory.get(model)
        return None if resident is None else resident.model

    def load(self, model: str, size: tuple[int, int] | None = None) -> LoadedModel:
        """A model, in eval mode on the device, channels last; for pictures of `size` where given.

        Raises `NotFound`, `WeightsMissing`, `WrongWeights`, `CardError`, `OutOfMemory`.
        """
        spec = self.spec(model)
        path = self.weights.require(spec.weights, model)
        version = version_of(path)
        resident = self.memory.get(model)
        if resident is not None and resident.version != version:
            self.memory.drop(model)
            resident = None
        if resident is None:
            with self._noted_if_broken(model, version):
                self._read(spec, model, path, version)
        return self._at(self.memory.use(model), size)

    def _read(self, spec: ModelSpec, model: str, path: Path, version: FileVersion) -> None:
        """Read a model from its file into memory."""
        bytes_on_disk = path.stat().st_size
        fingerprint = self.weights.verified(spec.weights, path, model)
        if bytes_on_disk > self.memory.cap:
            raise self.memory.too_large_problem(model, bytes_on_disk)
        self.memory.make_room(bytes_on_disk)
        with clean_state():
            classifier = build_classifier(spec, spec.build(path), fingerprint, self.device)
        taken = size_of(classifier)
        if taken > self.memory.cap:
            raise self.memory.too_large_problem(model, taken)
        self.memory.make_room(taken)
        self._facts[spec.id] = check_network(spec, classifier, taken)
        loaded = self._with_backend(classifier, self.settings.acceleration)
        self.memory.add(model, ResidentModel(loaded, taken, version))
        release_freed_memory()  # which reading the file took for a while
        self.changed = True

    @contextmanager
    def _noted_if_broken(self, model: str, version: FileVersion) -> Iterator[None]:
        """A context for reading a model. If it fails, the catalogue says so until the file changes."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, OutOfMemory) and not out_of_memory(error):
                detail = error.detail if isinstance(error, Problem) else f"{model}: {type(error).__name__}: {error}"
                if model not in self._broken:
                    log.error("the weights of %s cannot be used: %s", model, detail)
                self._broken[model] = BrokenWeights(version, detail)
                self.changed = True
            raise
        if self._broken.pop(model, None) is not None:
            self.changed = True

    def _broken_now(self, model: str) -> BrokenWeights | None:
        """Why a model's weights could not be used, if its file is still the same."""
        broken = self._broken.get(model)
        if broken is None or model not in self.specs:
            return None
        path = self.weights.find(self.specs[model].weights)
        return broken if path is not None and version_of(path) == broken.version else None

    def all_faulty_cards(self) -> list[FaultyCard]:
        """Cards that cannot be read, and those whose weights could not be used when they were last asked for."""
        broken = {model: self._broken_now(model) for model in self._broken}
        return [
            *self.faulty_cards,
            *(FaultyCard(self.specs[model].card.file, found.detail) for model, found in broken.items() if found),
        ]

    def advance_backends(self) -> bool:
        """See `ModelMemory.advance_backends`."""
        return self.memory.advance_backends()

    def describe(self, model: str) -> ModelBody:
        """What `GET /models` says of a model; its layers are null until it was loaded once."""
        entry = self.about(model)
        if facts := self._facts.get(model):
            entry.parameters, entry.layers = facts.parameters, facts.layers
        if broken := self._broken_now(model):
            entry.availability, entry.remedy = "missing", broken.detail
        return entry

    def behaviour_of(self, model: str) -> Behaviour | None:
        """How a model answers; None until it was loaded once."""
        facts = self._facts.get(model)
        return None if facts is None else facts.behaviour

    def _at(self, resident: ResidentModel, size: tuple[int, int] | None) -> LoadedModel:
        """A model for pictures of that size; views of the sizes that were lately asked for are kept."""
        if size is None or size == resident.model.size:
            return resident.model
        if size not in resident.views:
            view = classifier_at_size(resident.model.classifier, size)
            base = resident.model.backend
            resident.views[size] = self._with_backend(view, base.kind, base)
            while len(resident.views) > VIEWS:
                resident.views.popitem(last=False)
        resident.views.move_to_end(size)
        return resident.views[size]

    def _with_backend(self, classifier: Classifier, kind: Kind, base: BackendSelector | None = None) -> LoadedModel:
        """`base` is the backend of the same network for another size."""
        backend = BackendSelector(classifier, kind, self.memory.has_room, self.settings.batch_bytes, base)
        return LoadedModel(classifier, backend)
