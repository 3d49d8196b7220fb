"""Models that the user has in memory: explained like those of the zoo, and left exactly as they are."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..attribution.activation import Activation
from ..attribution.backends.selection import Kind
from ..attribution.behaviour import Behaviour, behaviour_of
from ..attribution.classifier import Classifier
from ..attribution.copies import copied
from ..attribution.memory import out_of_memory
from ..attribution.outputs import NoLogits, Output
from ..attribution.scalar_output import ScalarOutput, ScoreFailed
from ..attribution.torch_state import clean_state
from ..contract.parsing import did_you_mean
from ..contract.problems import Unprocessable
from ..images.input_spec import Input
from ..settings import Settings
from .cards import Card, File
from .loader import LoadedModel, or_output, other_channels
from .memory import ResidentModel
from .model_spec import ModelSpec
from .weights import WeightFile
from .zoo import Zoo

Transform = Callable[[Image.Image], Tensor]
InputLike = Input | Mapping[str, Any] | Transform
BINARY_LABELS = ("negative", "positive")  # of a network with one logit, where the caller names none
HINT = 'Say what it takes by input=, e.g. input={"size": 224, "mean": (0.485, 0.456, 0.406), "std": 0.225}.'


@dataclass(frozen=True)
class InMemoryModel:
    """A network to explain, with its input, the labels of its classes, and which of its outputs the logits are.

    `output` may be a `ScalarOutput`, the score itself; `probe` is then the picture, (C, H, W), for only on that it may
    be defined. `activation` is what the network itself ends in.
    """

    id: str
    network: nn.Module
    input: Input
    labels: tuple[str, ...] | None = None
    output: Output | None = None
    activation: Activation | None = None
    probe: Tensor | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The labels; of a score, which has no classes, its name."""
        return (self.output.name,) if isinstance(self.output, ScalarOutput) else self.labels or ()


class InMemoryModels(Zoo):
    """The zoo, extended for a while by networks that the user has in memory."""

    def __init__(self, settings: Settings) -> None:
        self._in_memory: dict[str, ResidentModel] = {}
        super().__init__(settings)

    @contextmanager
    def using(self, models: Sequence[InMemoryModel]) -> Iterator[None]:
        """A context in which `models` can be explained by their ids. Raises `Unprocessable` if one is no classifier."""
        try:
            for model in models:
                with clean_state():
                    self._add(model)
            yield
        finally:
            for id in self._in_memory:
                self.specs.pop(id, None)
            self._in_memory = {}

    def load(self, model: str, size: tuple[int, int] | None = None) -> LoadedModel:
        if model in self._in_memory:
            return self._at(self._in_memory[model], size)
        return super().load(model, size)

    def bytes_of(self, model: str) -> int:
        """Models of the user do not count as memory of the zoo."""
        return 0 if model in self._in_memory else super().bytes_of(model)

    def _add(self, model: InMemoryModel) -> None:
        network = frozen_copy(model.network)
        network.eval()  # in a line of its own: a `train` that the user has overridden may not return the network
        network.float().to(self.device)
        input = model.input
        classifier = Classifier(
            network, size=input.size, labels=model.names, mean=input.mean, std=input.std, output=model.output,
            activation=model.activation, probe=model.probe, id=model.id,
            fingerprint=secrets.token_hex(16),  # it may have changed since the last call
        )  # fmt: skip
        classifier = classifier.to(self.device).use_channels_last()
        behaviour = observed(classifier)
        if classifier.scalar is not None:
            pass  # it has no classes
        elif model.labels is None and behaviour.classes == 1:
            classifier.labels = BINARY_LABELS
            classifier.use_two_classes()
        elif model.labels is None:
            classifier.name_classes(tuple(f"class {index}" for index in range(behaviour.classes)))
        elif behaviour.classes != len(model.labels) and not classifier.calling.binary:
            raise Unprocessable(
                f"labels: {model.id} answers with {behaviour.classes} logits, and there are {len(model.labels)} labels"
                f"{or_output(behaviour)}.",
                field="labels",
            )
        file = File(kind="file", file=Path(model.id))
        card = Card(id=model.id, title=model.id, architecture=type(model.network).__name__, source=file)
        spec = ModelSpec(card, WeightFile(model.id, local=True), input, classifier.labels, lambda path: network)
        self.specs[model.id] = spec
        # no compiled backend: compiling takes longer than it saves for a network that is used once or twice
        kind: Kind = "none" if self.settings.acceleration == "none" else "pytorch"
        self._in_memory[model.id] = ResidentModel(self._with_backend(classifier, kind), 0, (model.id, 0, 0))


def frozen_copy(network: nn.Module) -> nn.Module:
    """A copy of a network whose frozen parameters share memory with the original's; everything else is copied.

    So the original's modes, requires_grad, hooks, device and buffers never change, whatever happens to the copy. Hooks
    of the original run in the copy too. Raises `Unprocessable`.
    """
    network = getattr(network, "_orig_mod", network)  # the network inside a result of torch.compile
    without_values = [
        name for name, tensor in (*network.named_parameters(), *network.named_buffers()) if tensor.is_meta
    ]
    if without_values:
        raise Unprocessable(
            f"model: it has tensors without values, on the device meta ({', '.join(without_values[:3])}"
            f"{', …' if len(without_values) > 3 else ''}). Load its weights first.",
            field="model",
        )
    copies: dict[int, Any] = {}
    for parameter in network.parameters():
        if is_lazy(parameter):
            raise Unprocessable(
                "model: it has parameters without a shape. Let a picture through it first.", field="model"
            )
        values = parameter.detach()
        if parameter.is_inference():  # made in inference mode: autograd refuses it
            values = values.clone()
        copies[id(parameter)] = nn.Parameter(values, requires_grad=False)
    try:
        return copied(network, share=False, memo=copies)
    except Exception as error:
        raise Unprocessable(
            f"model: it cannot be copied, so it cannot be explained without a change to it ({_first_line(error)}). "
            "Give a network whose parts can be copied by copy.deepcopy.",
            field="model",
        ) from error


def observed(classifier: Classifier) -> Behaviour:
    """How a user's network answers. Raises `Unprocessable` with a hint if it fails."""
    try:
        return behaviour_of(classifier)
    except ScoreFailed as error:
        raise Unprocessable(error.detail, field="score") from error
    except NoLogits as error:
        if str(error).startswith("activation: "):
            said = str(error).removeprefix("activation: ")
            raise Unprocessable(f"activation: {classifier.id}: {said}.", field="activation") from error
        if classifier.output is not None:
            raise Unprocessable(
                f"output: {classifier.id}: {str(error).removeprefix('output: ')}.", field="output"
            ) from error
        raise Unprocessable(
            f"model: {classifier.id}: {error}. It is no classifier, or a part of one. If the logits are deeper in its "
            "answer, give a function that returns them: output=lambda answer: ….",
            field="model",
        ) from error
    except Exception as error:
        if out_of_memory(error):
            raise
        shape = "×".join(map(str, (classifier.channels, *classifier.size)))
        other = other_channels(classifier)
        hint = HINT if other is None else f'It takes one of {other}: say input={{"channels": {other}}}.'
        raise Unprocessable(
            f"model: {classifier.id} does not take a picture of {shape} (channels×height×width): "
            f"{_first_line(error)}. {hint}",
            field="input",
        ) from error


def resolve_input(given: InputLike | None, image: Image.Image) -> tuple[Input, Image.Image]:
    """The input of a network from the user's argument, and the picture for it. Raises `Unprocessable`.

    Without `size` the picture keeps its own size; without `mean` and `std` nothing is normalised. A function, alone or
    as `transform`, turns the RGB picture into a tensor (C, H, W) in [0, 1], which is rounded to 8 bits like all
    pictures.
    """
    if isinstance(given, Input):
        return given, image
    if given is not None and not callable(given) and not isinstance(given, Mapping):
        raise Unprocessable(f"input: {type(given).__name__} is no description of an input. {HINT}", field="input")
    named: dict[str, Any] = {"transform": given} if callable(given) else dict(given or {})
    transform = named.pop("transform", None)
    if transform is not None:
        image = apply_transform(transform, image)
        named |= {"size": (image.height, image.width), "channels": 1 if image.mode == "L" else 3}
    defaults = {"size": (image.height, image.width), "mean": 0.0, "std": 1.0, "crop_fraction": 1.0}
    try:
        return Input.model_validate({**defaults, **named}), image
    except ValidationError as error:
        faults = "; ".join(map(_fault, error.errors()))
        raise Unprocessable(f"input: {faults}. {HINT}", field="input") from error


def _fault(fault: Any) -> str:
    """A validation error of pydantic in words."""
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{name}: there is no such field.{did_you_mean(name, (*Input.model_fields, 'transform'))}".rstrip(".")
    return f"{name}: {fault['msg']}".removeprefix(": ").replace("Value error, ", "")


def apply_transform(transform: Transform, image: Image.Image) -> Image.Image:
    """Apply the user's function to a picture; the result is a picture again. Raises `Unprocessable`."""
    try:
        pixels = transform(image)
    except Exception as error:
        raise Unprocessable(
            f"input: the transform fails on the picture: {_first_line(error)}.", field="input"
        ) from error
    if isinstance(pixels, Tensor) and pixels.ndim == 4 and len(pixels) == 1:
        pixels = pixels[0]
    if (
        not isinstance(pixels, Tensor)
        or pixels.ndim != 3
        or len(pixels) not in (1, 3)
        or not pixels.is_floating_point()
    ):
        shape = f"{pixels.dtype} {tuple(pixels.shape)}" if isinstance(pixels, Tensor) else type(pixels).__name__
        raise Unprocessable(f"input: the transform must make floats (C, H, W), C = 1 or 3, not {shape}.", field="input")
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= -1e-4 and high <= 1 + 1e-4):
        raise Unprocessable(
            f"input: the transform makes values of {low:.3g} … {high:.3g}; they must be in [0, 1]. Leave its "
            "normalisation out, and name it: "
            'input={"transform": …, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}.',
            field="input",
        )
    values = (pixels.detach().float().clamp(0, 1) * 255).round().byte().cpu().numpy()
    return Image.fromarray(values[0] if len(values) == 1 else values.transpose(1, 2, 0))


def device_of(network: nn.Module) -> torch.device | None:
    """The device of a network; None if it has neither parameters nor buffers."""
    return next((tensor.device for tensor in (*network.parameters(), *network.buffers())), None)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
