"""The picture of a request, and a model's input and predictions for it."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from ..attribution.classifier import Classifier
from ..attribution.torch_state import clean_state
from ..contract import request_id
from ..contract.jobs import Explain, Flow, Predict
from ..contract.notes import NoteBody
from ..contract.predictions import PredictedClass
from ..contract.problems import Unprocessable
from ..images.input_spec import Input
from ..images.preprocess import PreprocessedImage, preprocess, requested_input
from ..zoo.loader import LoadedModel
from ..zoo.zoo import Zoo
from .classes import known_indices
from .context import Context
from .notes import network_notes

MAX_SIDE = 2048  # longest side of the stored picture
SMALL_BYTES = 256  # bytes of small cache entries
WAIT_SECONDS = 0.002  # seconds that a run waits for its picture within one turn
T = TypeVar("T")
TurnByTurn = Generator[None, None, T]


class InputImage:
    """The picture of a request. Decoded pixels, model inputs and logits are cached."""

    size: tuple[int, int]

    def __init__(self, data: bytes, context: Context, owner: str = "") -> None:
        self.data, self._context = data, context
        self.hash = hash_of(data, owner)
        self._image: Image.Image | None = None

    @classmethod
    def open(cls, data: bytes, context: Context, owner: str = "") -> TurnByTurn[InputImage]:
        """The picture in `data`. If its size is not cached, it is decoded, turn by turn. Raises `Problem`."""
        picture = cls(data, context, owner)
        key = ("size", picture.hash)
        if key not in context.picture_cache:
            yield from picture.decode_in_turns()
        picture.size = context.picture_cache.recall(key, lambda: picture.image.size, lambda size: SMALL_BYTES)
        return picture

    def decode_in_turns(self) -> TurnByTurn[None]:
        """Decode it in another process, waiting turn by turn. Raises `Problem`."""
        if self._image is not None or ("image", self.hash) in self._context.picture_cache:
            return
        future = self._context.decoders.submit(self.data, request_id.client())
        try:
            while wait((future,), WAIT_SECONDS).not_done:
                yield None
        finally:
            future.cancel()
        self._image = self._recall_image(future.result)

    @property
    def image(self) -> Image.Image:
        """The picture upright, as RGB. Blocks if `decode_in_turns` was not run before. Raises `Problem`."""
        if self._image is None:
            self._image = self._recall_image(lambda: self._context.decoders.decode(self.data))
        return self._image

    def _recall_image(self, make: Callable[[], Image.Image]) -> Image.Image:
        return self._context.picture_cache.recall(
            ("image", self.hash), make, lambda image: 3 * image.width * image.height
        )

    def is_cached(self, input_spec: Input) -> bool:
        """Whether the model input is cached, so that no pixels are needed."""
        return ("preprocessed", self.hash, input_spec) in self._context.picture_cache

    def preprocessed(self, input_spec: Input) -> tuple[PreprocessedImage, Tensor]:
        """The preprocessed picture for this input, and the same as a tensor (C, H, W) on the device."""

        def make() -> tuple[PreprocessedImage, Tensor]:
            image = preprocess(self.image, input_spec)
            return image, torch.from_numpy(image.pixels).to(self._context.zoo.device)

        return self._context.picture_cache.recall(
            ("preprocessed", self.hash, input_spec), make, lambda made: 2 * made[1].nbytes
        )

    def logits(self, classifier: Classifier, input_spec: Input) -> Tensor:
        """A model's logits for the picture, (classes,), in float64 on the CPU."""

        def make() -> Tensor:
            with clean_state(), torch.no_grad():
                pictures = classifier.to_memory_format(self.preprocessed(input_spec)[1][None])
                return classifier(pictures)[0].double().cpu()  # type: ignore[no-any-return]

        key = ("logits", self.hash, input_spec, classifier.id, classifier.fingerprint)
        return self._context.picture_cache.recall(key, make, lambda logits: SMALL_BYTES + logits.nbytes)


def hash_of(data: bytes, owner: str = "") -> str:
    """The hash under which results of a picture are cached and stored. It differs for each owner (API key): so
    `from_store` and response times reveal nothing about pictures of others."""
    digest = hashlib.sha256(data)
    return hashlib.sha256(owner.encode() + b"\0" + digest.digest()).hexdigest() if owner else digest.hexdigest()


@dataclass(frozen=True)
class ModelInput:
    """A model's input for a picture, as pixels and as `x`, (C, H, W), and its predictions."""

    model: str
    input: Input
    preprocessed: PreprocessedImage
    x: Tensor
    classes: list[PredictedClass]
    targets: list[PredictedClass]  # predictions for the requested target classes
    notes: list[NoteBody] = field(default_factory=list)  # on the network

    @property
    def top_class(self) -> int:
        """The likeliest class; 0 where the score is none of a class, and nothing is predicted."""
        return self.classes[0].index if self.classes else 0

    def load(self, zoo: Zoo) -> LoadedModel:
        """The model for inputs of this size. Reserve it before (`reserve_models`), so that it stays in memory."""
        return zoo.load(self.model, self.input.size)


def make_model_input(
    context: Context, picture: InputImage, model: str, job: Explain | Predict | Flow, count: int = 5
) -> TurnByTurn[ModelInput]:
    """Preprocess a picture for a model with the requested size and fit, and predict its `count` top classes."""
    input_spec = requested_input(context.zoo.spec(model).input, job.fit, job.size)
    if not picture.is_cached(input_spec):
        yield from picture.decode_in_turns()
    loaded = context.zoo.load(model, input_spec.size)
    classifier = loaded.classifier
    preprocessed, x = picture.preprocessed(input_spec)
    targets = known_indices(job.targets, classifier.labels) if isinstance(job, Explain) else []
    logits = picture.logits(classifier, input_spec)
    if classifier.scalar is not None:
        check_score(classifier.scalar, model, float(logits[0]))
    predictions = top_classes(classifier, logits, count, targets) if classifier.scalar is None else ([], [])
    return ModelInput(model, input_spec, preprocessed, x, *predictions, network_notes(loaded.behaviour))


def check_score(name: str, model: str, value: float) -> None:
    """Raise `Unprocessable` where the score of the picture is no finite number."""
    if not math.isfinite(value):
        raise Unprocessable(
            f"score: «{name}» is {value} for this picture on {model}, and only finite numbers can be explained. Look "
            "for a logarithm or a division by zero in the function.",
            field="score",
        )


def top_classes(
    classifier: Classifier, logits: Tensor, count: int, targets: Iterable[int]
) -> tuple[list[PredictedClass], list[PredictedClass]]:
    """The `count` top classes with probability and logit, best first; and the same for `targets`."""
    probabilities = classifier.probabilities(logits)
    best = probabilities.argsort(descending=True, stable=True)[:count].tolist()

    def prediction(index: int) -> PredictedClass:
        return PredictedClass(
            index=index,
            label=classifier.label(index),
            probability=float(probabilities[index]),
            logit=float(logits[index]),
        )

    return [prediction(index) for index in best], [prediction(i) for i in targets if 0 <= i < len(logits)]


def scaled(image: Image.Image) -> Image.Image:
    """The picture, or a smaller copy if it is large."""
    if max(image.size) <= MAX_SIDE:
        return image
    small = image.copy()
    small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return small


def scaled_png(image: Image.Image) -> bytes:
    """The picture as PNG, scaled down if it is large."""
    return png(scaled(image))


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
