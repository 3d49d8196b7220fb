"""What a model sees of a picture, and what it believes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import wait
from dataclasses import dataclass
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from ..attribution.classifier import Classifier
from ..contract.jobs import Explain, Flow, Predict
from ..contract.predictions import PredictedClass
from ..images.input_spec import Input
from ..images.preprocess import PreprocessedImage, asked, preprocess
from ..zoo.loader import LoadedModel
from ..zoo.zoo import Zoo
from .context import Context

SHOWN_PIXELS = 2048  # longest side of the picture that is served again
FEW = 256  # bytes of what is kept beside pixels and logits
PATIENCE = 0.002  # seconds of a turn in which a run waits for its picture, before another run takes its own
T = TypeVar("T")
Waiting = Generator[None, None, T]


class InputImage:
    """The picture of a request; what was lately made of it is not made again."""

    size: tuple[int, int]

    def __init__(self, data: bytes, context: Context, owner: str = "") -> None:
        self.data, self._workshop = data, context
        self.hash = hash_of(data, owner)
        self._image: Image.Image | None = None

    @classmethod
    def open(cls, data: bytes, context: Context, owner: str = "") -> Waiting[InputImage]:
        """The picture in `data`; where its size is not known, it is decoded, turn by turn. Raises `Problem`."""
        subject = cls(data, context, owner)
        key = ("size", subject.hash)
        if key not in context.recent:
            yield from subject.decoded()
        subject.size = context.recent.recall(key, lambda: subject.image.size, lambda size: FEW)
        return subject

    def decoded(self) -> Waiting[None]:
        """Wait for its pixels, turn by turn: they come from another process. Raises `Problem`."""
        if self._image is not None or ("image", self.hash) in self._workshop.recent:
            return
        coming = self._workshop.decoders.submit(self.data)
        try:
            while wait((coming,), PATIENCE).not_done:
                yield None
        finally:
            coming.cancel()
        self._image = self._recall_image(coming.result)

    @property
    def image(self) -> Image.Image:
        """Upright, as RGB. Waits, where `decoded` did not before. Raises `Problem`."""
        if self._image is None:
            self._image = self._recall_image(lambda: self._workshop.decoders.decode(self.data))
        return self._image

    def _recall_image(self, make: Callable[[], Image.Image]) -> Image.Image:
        return self._workshop.recent.recall(("image", self.hash), make, lambda image: 3 * image.width * image.height)

    def was_seen(self, own: Input) -> bool:
        """Whether a model with that input lately saw it: that needs no pixels."""
        return ("seen", self.hash, own) in self._workshop.recent

    def seen(self, own: Input) -> tuple[PreprocessedImage, Tensor]:
        """What a model with that input sees of it, as pixels and as x, (C, H, W), on the device."""

        def make() -> tuple[PreprocessedImage, Tensor]:
            seen = preprocess(self.image, own)
            return seen, torch.from_numpy(seen.pixels).to(self._workshop.zoo.device)

        return self._workshop.recent.recall(("seen", self.hash, own), make, lambda made: 2 * made[1].nbytes)

    def logits(self, classifier: Classifier, own: Input) -> Tensor:
        """A model's logits for it, (classes,), in float64 on the CPU."""

        @torch.no_grad()
        def make() -> Tensor:
            return classifier(self.seen(own)[1][None])[0].double().cpu()  # type: ignore[no-any-return]

        key = ("logits", self.hash, own, classifier.id, classifier.fingerprint)
        return self._workshop.recent.recall(key, make, lambda logits: FEW + logits.nbytes)


def hash_of(data: bytes, owner: str = "") -> str:
    """What is remembered and kept of a picture hangs on it. Another one for each owner: that something is known
    already, by `from_store` or by the time that it takes, tells nobody what others have sent."""
    digest = hashlib.sha256(data)
    return hashlib.sha256(owner.encode() + b"\0" + digest.digest()).hexdigest() if owner else digest.hexdigest()


@dataclass(frozen=True)
class ModelInput:
    """What a model sees of a picture, as pixels and as `x`, (C, H, W), and the classes that it believes in."""

    model: str
    input: Input
    seen: PreprocessedImage
    x: Tensor
    classes: list[PredictedClass]
    targets: list[PredictedClass]  # what it believes of the classes that were asked for

    def load(self, zoo: Zoo) -> LoadedModel:
        """The model for pictures of this size; to be held meanwhile."""
        return zoo.load(self.model, self.input.size)


def look(
    context: Context, subject: InputImage, model: str, job: Explain | Predict | Flow, count: int = 5
) -> Waiting[ModelInput]:
    """Show a picture to a model, in the size and by the fit asked for; its `count` likeliest classes, best first."""
    own = asked(context.zoo.recipe(model).input, job.fit, job.size)
    if not subject.was_seen(own):
        yield from subject.decoded()
    classifier = context.zoo.load(model, own.size).classifier
    seen, x = subject.seen(own)
    asked_for = tuple(index for index in job.targets if index is not None) if isinstance(job, Explain) else ()
    return ModelInput(
        model, own, seen, x, *believed_classes(classifier, subject.logits(classifier, own), count, asked_for)
    )


def believed_classes(
    classifier: Classifier, logits: Tensor, count: int, targets: Iterable[int]
) -> tuple[list[PredictedClass], list[PredictedClass]]:
    """The `count` likeliest classes with probability and logit, best first; and the same of `targets`."""
    probabilities = classifier.probabilities(logits)
    best = probabilities.argsort(descending=True, stable=True)[:count].tolist()

    def believed(index: int) -> PredictedClass:
        return PredictedClass(
            index=index,
            label=classifier.label(index),
            probability=float(probabilities[index]),
            logit=float(logits[index]),
        )

    return [believed(index) for index in best], [believed(i) for i in targets if 0 <= i < len(logits)]


def shown(image: Image.Image) -> bytes:
    """A picture as it is served again."""
    small = image.copy()
    small.thumbnail((SHOWN_PIXELS, SHOWN_PIXELS), Image.Resampling.LANCZOS)
    return png(small)


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
