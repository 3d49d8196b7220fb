"""Networks that somebody holds in memory: explained like the zoo's own, and left exactly as they are."""

from __future__ import annotations

import copy
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

from ..attribution.backends.selection import Kind
from ..attribution.classifier import Classifier, NoLogits, main_logits
from ..attribution.memory import out_of_memory
from ..contract.problems import Unprocessable
from ..images.input_spec import Input
from ..settings import Settings
from .cards import Card, File
from .loader import LoadedModel
from .memory import ResidentModel
from .model_spec import ModelSpec
from .weights import WeightFile
from .zoo import Zoo

Transform = Callable[[Image.Image], Tensor]
InputLike = Input | Mapping[str, Any] | Transform
HINT = 'Say what it takes by input=, e.g. input={"size": 224, "mean": (0.485, 0.456, 0.406), "std": 0.225}.'


@dataclass(frozen=True)
class InMemoryModel:
    """A network to be explained, what it takes, and what its classes are called."""

    id: str
    network: nn.Module
    input: Input
    labels: tuple[str, ...] | None = None


class InMemoryModels(Zoo):
    """The zoo, and beside it networks that are lent to it for a while."""

    def __init__(self, settings: Settings) -> None:
        self._lent: dict[str, ResidentModel] = {}
        super().__init__(settings)

    @contextmanager
    def lent(self, loans: Sequence[InMemoryModel]) -> Iterator[None]:
        """Within: the networks can be explained by their ids. Raises `Unprocessable` where one is no classifier."""
        try:
            for loan in loans:
                self._take(loan)
            yield
        finally:
            for id in self._lent:
                self.recipes.pop(id, None)
            self._lent = {}

    def load(self, model: str, size: tuple[int, int] | None = None) -> LoadedModel:
        if model in self._lent:
            return self._at(self._lent[model], size)
        return super().load(model, size)

    def bytes_of(self, model: str) -> int:
        """What is lent takes no memory that is the zoo's."""
        return 0 if model in self._lent else super().bytes_of(model)

    def _take(self, loan: InMemoryModel) -> None:
        network = shadow(loan.network).eval().float().to(self.device)
        input = loan.input
        labels = loan.labels or name_classes(loan, network, self.device)
        classifier = Classifier(
            network, size=input.size, labels=labels, mean=input.mean, std=input.std, id=loan.id,
            fingerprint=secrets.token_hex(16),  # nobody knows whether it has changed since it was last lent
        )  # fmt: skip
        classifier = classifier.to(self.device).to(memory_format=torch.channels_last)
        self._check(loan, classifier)
        file = File(kind="file", file=Path(loan.id))
        card = Card(id=loan.id, title=loan.id, architecture=type(loan.network).__name__, source=file)
        self.recipes[loan.id] = ModelSpec(card, WeightFile(loan.id, local=True), input, labels, lambda path: network)
        # compiling takes longer than a network that is asked once or twice would gain by it
        kind: Kind = "none" if self.settings.acceleration == "none" else "pytorch"
        self._lent[loan.id] = ResidentModel(self._with_backend(classifier, kind), 0, (loan.id, 0, 0))

    def _check(self, loan: InMemoryModel, classifier: Classifier) -> None:
        count = ask(loan, classifier, classifier.grey()).shape[1]
        if count != len(classifier.labels):
            raise Unprocessable(
                f"labels: {loan.id} answers with {count} logits, and there are {len(classifier.labels)} labels.",
                field="labels",
            )


def shadow(network: nn.Module) -> nn.Module:
    """The same network with frozen parameters that share the memory of its own; everything else is a copy.

    So its modes, what takes gradients, its hooks, its device and its buffers stay as they are, whatever is done to the
    shadow, and whatever breaks off. Hooks that are on it run in its shadow too. Raises `Unprocessable`.
    """
    network = getattr(network, "_orig_mod", network)  # within what torch.compile gives
    own: dict[int, Any] = {}
    for parameter in network.parameters():
        if is_lazy(parameter):
            raise Unprocessable(
                "model: it has parameters without a shape. Let a picture through it first.", field="model"
            )
        own[id(parameter)] = nn.Parameter(parameter.detach(), requires_grad=False)
    for module in network.modules():
        for value in (*vars(module).values(), *module.buffers(recurse=False)):
            if isinstance(value, Tensor) and id(value) not in own:
                own[id(value)] = value.detach().clone()
    try:
        return copy.deepcopy(network, own)
    except Exception as error:
        raise Unprocessable(
            f"model: it cannot be copied, so it cannot be explained without a change to it ({_line(error)}). Give a "
            "network whose parts can be copied by copy.deepcopy.",
            field="model",
        ) from error


def name_classes(loan: InMemoryModel, network: nn.Module, device: torch.device) -> tuple[str, ...]:
    """As many labels as the network has logits: class 0, class 1, …"""
    grey = torch.full((1, loan.input.channels, *loan.input.size), 0.5, device=device)
    return tuple(f"class {index}" for index in range(ask(loan, network, grey).shape[1]))


def ask(loan: InMemoryModel, network: nn.Module, pictures: Tensor) -> Tensor:
    """The logits of a network that may fail. Raises `Unprocessable`, with what to do."""
    try:
        with torch.no_grad():
            return main_logits(network(pictures))
    except NoLogits as error:
        raise Unprocessable(
            f"model: {loan.id}: {error}. It is no classifier, or a part of one.", field="model"
        ) from error
    except Exception as error:
        if out_of_memory(error):
            raise
        shape = "×".join(map(str, pictures.shape[1:]))
        raise Unprocessable(
            f"model: {loan.id} does not take a picture of {shape} (channels×height×width): {_line(error)}. {HINT}",
            field="input",
        ) from error


def settle_input(given: InputLike | None, image: Image.Image) -> tuple[Input, Image.Image]:
    """What a network takes, and the picture to show it. Raises `Unprocessable`.

    What is not named is not done: without `size` it is the picture's own, without `mean` and `std` nothing is
    normalised. A function, alone or as `transform`, makes a tensor (C, H, W) in [0, 1] of the picture, RGB; it is
    rounded to 8 bits, as all pictures are.
    """
    if isinstance(given, Input):
        return given, image
    named: dict[str, Any] = {"transform": given} if callable(given) else dict(given or {})
    transform = named.pop("transform", None)
    if transform is not None:
        image = transformed(transform, image)
        named |= {"size": (image.height, image.width), "channels": 1 if image.mode == "L" else 3}
    usual = {"size": (image.height, image.width), "mean": 0.0, "std": 1.0, "crop_fraction": 1.0}
    try:
        return Input.model_validate({**usual, **named}), image
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise Unprocessable(f"input: {faults}. {HINT}", field="input") from error


def transformed(transform: Transform, image: Image.Image) -> Image.Image:
    """What a function of the user's makes of a picture, as a picture. Raises `Unprocessable`."""
    try:
        pixels = transform(image)
    except Exception as error:
        raise Unprocessable(f"input: the transform fails on the picture: {_line(error)}.", field="input") from error
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
    """Where a network is; None where it has neither parameters nor buffers."""
    return next((tensor.device for tensor in (*network.parameters(), *network.buffers())), None)


def _line(error: Exception) -> str:
    said = str(error).splitlines()
    return f"{type(error).__name__}: {said[0][:200]}" if said else type(error).__name__
