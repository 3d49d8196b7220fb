"""What a model sees of a picture, and what it believes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from .service.jobs import Explain, Predict
from .vision.decode import decode
from .vision.preprocess import Seen, asked, preprocess
from .workshop import Workshop
from .zoo.cards import Input
from .zoo.classifier import Classifier
from .zoo.zoo import Zoo

SHOWN_PIXELS = 2048  # longest side of the picture that is served again
FEW = 256  # bytes of what is kept beside pixels and logits


class Subject:
    """The picture of a request. Raises `Problem` where it is none; what was lately made of it is not made again."""

    def __init__(self, data: bytes, workshop: Workshop) -> None:
        self.data, self._workshop = data, workshop
        self.hash = hashlib.sha256(data).hexdigest()
        self.size: tuple[int, int] = workshop.recent.recall(
            ("size", self.hash), lambda: self.image.size, lambda size: FEW
        )

    @cached_property
    def image(self) -> Image.Image:
        """Upright, as RGB; decoded when it is first asked for."""
        return self._workshop.recent.recall(
            ("image", self.hash),
            lambda: decode(self.data, self._workshop.settings.max_pixels),
            lambda image: 3 * image.width * image.height,
        )

    def seen(self, own: Input) -> tuple[Seen, Tensor]:
        """What a model with that input sees of it, as pixels and as x, (C, H, W), on the device."""

        def make() -> tuple[Seen, Tensor]:
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


@dataclass(frozen=True)
class Sight:
    """What a model sees of a picture, as pixels and as `x`, (C, H, W), and the classes that it believes in."""

    model: str
    input: Input
    seen: Seen
    x: Tensor
    classes: list[dict[str, Any]]
    targets: list[dict[str, Any]]  # what it believes of the classes that were asked for

    def classifier(self, zoo: Zoo) -> Classifier:
        """The model for pictures of this size; to be held meanwhile."""
        return zoo.load(self.model, self.input.size)


def look(workshop: Workshop, subject: Subject, model: str, job: Explain | Predict, count: int = 5) -> Sight:
    """Show a picture to a model, in the size and by the fit asked for; its `count` likeliest classes, best first."""
    own = asked(workshop.zoo.recipe(model).input, job.fit, job.size)
    classifier = workshop.zoo.load(model, own.size)
    seen, x = subject.seen(own)
    asked_for = () if isinstance(job, Predict) else tuple(index for index in job.targets if index is not None)
    return Sight(model, own, seen, x, *believed_classes(classifier, subject.logits(classifier, own), count, asked_for))


def believed_classes(
    classifier: Classifier, logits: Tensor, count: int, targets: Iterable[int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The `count` likeliest classes with probability and logit, best first; and the same of `targets`."""
    probabilities = classifier.probabilities(logits)
    best = probabilities.argsort(descending=True, stable=True)[:count].tolist()

    def believed(index: int) -> dict[str, Any]:
        return {
            "index": index,
            "label": classifier.label(index),
            "probability": float(probabilities[index]),
            "logit": float(logits[index]),
        }

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
