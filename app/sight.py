"""What a model sees of a picture, and what it believes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from .service.jobs import Explain, Predict
from .vision.preprocess import Seen, asked, preprocess
from .workshop import Workshop
from .zoo.cards import Input
from .zoo.classifier import Classifier
from .zoo.zoo import Zoo


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


def look(workshop: Workshop, picture: Image.Image, model: str, job: Explain | Predict, count: int = 5) -> Sight:
    """Show a picture to a model, in the size and by the fit asked for; its `count` likeliest classes, best first."""
    own = asked(workshop.zoo.recipe(model).input, job.fit, job.size)
    classifier = workshop.zoo.load(model, own.size)
    seen = preprocess(picture, own)
    x = torch.from_numpy(seen.pixels).to(device=classifier.device, dtype=classifier.dtype)
    asked_for = () if isinstance(job, Predict) else tuple(index for index in job.targets if index is not None)
    return Sight(model, own, seen, x, *believed_classes(classifier, x, count, asked_for))


def believed_classes(
    classifier: Classifier, x: Tensor, count: int, targets: Iterable[int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The `count` likeliest classes with probability and logit, best first; and the same of `targets`."""
    with torch.no_grad():
        logits = classifier(x[None])[0].double()
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


def keep_input(job: Explain, workshop: Workshop, model: str, sight: Sight, record: dict[str, Any]) -> None:
    """Put what a model saw, and what it believes, into the record and the store."""
    store = workshop.store
    key = store.key("input", picture_hash(job.picture), sight.input.model_dump())
    if store.attach(job.id, f"input:{model}", key) is None:
        store.put(job.id, f"input:{model}", key, png(sight.seen.picture), {})
    record["inputs"].append(
        {
            "model": model,
            "size": list(sight.input.size),
            "fit": sight.input.fit,
            "crop": [round(edge, 3) for edge in sight.seen.crop],
            "url": f"/api/v1/explanations/{job.id}/inputs/{model}.png",
            "predictions": sight.classes,
            "targets": sight.targets,
        }
    )
    store.update(job.id, record)


def picture_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
