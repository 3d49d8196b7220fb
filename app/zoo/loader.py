"""Builds the classifier of a model from its spec and its network, and checks it against the card."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..attribution.backends.batching import MICRO_BATCH
from ..attribution.backends.selection import BackendSelector
from ..attribution.behaviour import Behaviour, behaviour_of
from ..attribution.classifier import Classifier
from ..attribution.engine import Engine
from ..attribution.inspection import Inspection, inspection_of
from ..attribution.memory import out_of_memory
from ..attribution.outputs import NoLogits, Output, logits_in
from ..attribution.score import Score, ScoreKind
from ..attribution.torch_state import clean_state
from ..contract.catalogue import LayerBody
from ..contract.problems import Problem, Unprocessable
from .cards import Card, CardError
from .model_spec import ModelSpec
from .sources.libraries import imported


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory: the network, the backend that computes its gradients, and what is known of its layers."""

    classifier: Classifier
    backend: BackendSelector

    @property
    def inspection(self) -> Inspection:
        """Its layers and nonlinearities, found by one probing pass when they are first asked for."""
        return inspection_of(self.classifier)

    @property
    def behaviour(self) -> Behaviour:
        """How it answers: whether randomly, depending on the other pictures of a pass, or with probabilities."""
        return behaviour_of(self.classifier)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its pictures."""
        return self.classifier.size

    def score(self, target: int | tuple[int, ...], kind: ScoreKind = "logit", against: int | None = None) -> Score:
        """The score of a class, or of one class per picture of a pass."""
        return Score(target, kind, against, self.classifier.multilabel)

    def engine(self, score: Score, micro_batch: int = MICRO_BATCH) -> Engine:
        """An engine for a score. `micro_batch` is the number of pictures per pass; 0: the fastest one measured."""
        return Engine(self.classifier, score, self.backend, micro_batch=micro_batch)

    def logits(self, pictures: Tensor) -> Tensor:
        """Logits of pictures: (N, C, H, W) → (N, classes). No gradient is recorded."""
        with clean_state(), torch.no_grad():
            return self.classifier(pictures)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model once it was loaded. Kept after it is unloaded."""

    layers: list[LayerBody]
    parameters: int
    bytes: int
    behaviour: Behaviour


def build_classifier(spec: ModelSpec, network: nn.Module, fingerprint: str, device: torch.device) -> Classifier:
    """Wrap a network that has its weights in a frozen classifier: eval mode, float32, channels last, on `device`."""
    classifier = Classifier(
        network.float(),
        size=spec.input.size,
        labels=spec.labels,
        mean=spec.input.mean,
        std=spec.input.std,
        multilabel=spec.multilabel,
        output=chosen_output(spec.card),
        activation=spec.card.activation,
        id=spec.id,
        fingerprint=_with_choices(fingerprint, spec.card),
    )
    return classifier.to(device).use_channels_last()


def _with_choices(fingerprint: str, card: Card) -> str:
    """The fingerprint of weights, and of what of the network's answer a card takes for logits."""
    named = [fingerprint] + [str(card.output)] * (card.output is not None)
    return ":".join(named + [f"activation={card.activation}"] * (card.activation is not None))


def chosen_output(card: Card) -> Output | None:
    """The output that a card names; a function as «module:function» is imported. Raises `CardError`."""
    if not isinstance(card.output, str) or ":" not in card.output:
        return card.output
    module, _, function = card.output.partition(":")
    output: Output = imported(card, module, function, "output")
    return output


def check_network(spec: ModelSpec, classifier: Classifier, bytes: int) -> ModelFacts:
    """Check by one pass that the network matches its card, and collect its facts. Raises `CardError`."""
    try:
        behaviour = behaviour_of(classifier)
        inspection = inspection_of(classifier)
    except NoLogits as error:
        if str(error).startswith("activation: "):
            raise CardError(f"{spec.card.file}: {error}.") from error
        advice = "It is no classifier, or a part of one" if spec.card.output is None else "Correct `output` in the card"
        raise CardError(f"{spec.card.file}: {error}. {advice}.") from error
    except Exception as error:
        if out_of_memory(error):
            raise
        raise CardError(
            f"{spec.card.file}: the network does not take a picture of {spec.input.channels}×"
            f"{spec.input.size[0]}×{spec.input.size[1]} ({str(error).splitlines()[0][:200]}). " + _remedy(classifier)
        ) from error
    if behaviour.classes != len(classifier.labels) and not classifier.calling.binary:
        raise CardError(
            f"{spec.card.file}: the network answers with {behaviour.classes} logits, the card has "
            f"{len(spec.labels)} labels. Correct `labels` or `classes` in the card{or_output(behaviour)}."
        )
    return ModelFacts(
        [
            LayerBody(name=layer.name, shape=list(layer.shape), default=layer.name == inspection.default_layer)
            for layer in inspection.layers
        ],
        sum(p.numel() for p in classifier.parameters()),
        bytes,
        behaviour,
    )


def or_output(behaviour: Behaviour) -> str:
    """The advice to name another output, where there are several."""
    if not behaviour.candidates:
        return ""
    listed = ", ".join(f"{name} ({count})" for name, count in behaviour.candidates)
    return f", or name another output by `output`: it has {listed}, and «{behaviour.part}» was taken"


def _remedy(classifier: Classifier) -> str:
    """What to change in a card whose network does not take the picture."""
    other = other_channels(classifier)
    if other is None:
        return "Correct `input` in the card."
    return f"It takes one of {other} channel{'s' if other > 1 else ''}: write `channels = {other}` under [input]."


def other_channels(classifier: Classifier) -> int | None:
    """1 or 3: how many channels a network takes that does not take those of its input; None if it takes neither."""
    other = 3 if classifier.channels == 1 else 1
    pictures = classifier.grey_pictures()[:, :1].expand(-1, other, -1, -1).contiguous()
    try:
        with clean_state(), torch.no_grad():
            logits_in(classifier.network(pictures), 1, classifier.output)
    except Exception:
        return None
    return other


def classifier_at_size(classifier: Classifier, size: tuple[int, int]) -> Classifier:
    """A view of `classifier` for another input size, checked by one pass. Raises `Unprocessable` if that pass fails."""
    view = classifier.at(size)
    try:
        behaviour_of(view)
        inspection_of(view)
    except Exception as error:
        if out_of_memory(error):
            raise
        original_size = "×".join(map(str, classifier.size))
        raise Unprocessable(
            f"size: {classifier.id} cannot take pictures of {size[0]}×{size[1]} ({str(error).splitlines()[0][:160]}). "
            f"Its own size is {original_size}.",
            field="size",
        ).coded("size_unfit", model=classifier.id, size="×".join(map(str, size)), own=original_size) from error
    return view


def choose_device(name: str) -> torch.device:
    """The device by its PyTorch name; `auto` is CUDA if it is available, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def usable_device(name: str) -> torch.device:
    """Like `choose_device`. Raises `NoDevice` if nothing can be computed on it."""
    try:
        device = choose_device(name)
        if device.type != "cpu":
            torch.ones(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise NoDevice(f"GRADOSCOPE_DEVICE={name}: {reason.rstrip('.')}. Set it to auto, or cpu.") from error
    return device


class NoDevice(Problem):
    """PyTorch does not have the device that the settings name."""

    status = 503
    title = "No such device"
