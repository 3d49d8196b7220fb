"""The shipped model, what it sees of the samples, and the folder into which results go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.gradients import Rule
from gradoscope.attribution.score import Score
from gradoscope.images.decode import decode
from gradoscope.images.preprocess import preprocess
from gradoscope.images.samples import read_sample, samples
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo
from PIL import Image
from torch import Tensor

from .frames import significant

MODEL = "efficientnet_lite0"
SEED = 0


class Counting(Engine):
    """An engine that counts the pictures whose scores and gradients it computed."""

    gradient_count = 0
    forward_count = 0

    def scores(self, pictures: Tensor) -> Tensor:
        self.forward_count += len(pictures)
        return super().scores(pictures)

    def gradients(self, pictures: Tensor, rule: Rule | None = None) -> Tensor:
        self.gradient_count += len(pictures)
        return super().gradients(pictures, rule)

    def features(self, pictures: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        self.gradient_count += len(pictures)
        return super().features(pictures, layer)


class Stage:
    """The model, what it sees of the samples, and the folder into which the next results go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        zoo = Zoo(Settings())
        self.classifier = zoo.load(MODEL).classifier
        self.title = zoo.spec(MODEL).card.title
        self._input = zoo.spec(MODEL).input
        self.seen = {name: preprocess(decode(read_sample(name), 24_000_000), self._input) for name in samples()}

    def x(self, sample: str) -> Tensor:
        return torch.from_numpy(self.seen[sample].pixels)

    def engine(self, target: int, classifier: Classifier | None = None) -> Counting:
        return Counting(classifier or self.classifier, Score(target))

    def logits(self, pictures: Tensor) -> Tensor:
        with torch.no_grad():
            return self.classifier(pictures)

    def about(self, sample: str, target: int, **more: Any) -> dict[str, Any]:
        """The facts of a run for its caption."""
        logits = self.logits(self.x(sample)[None])[0]
        probability = float(self.classifier.probabilities(logits[None])[0, target])
        return {
            "model": MODEL,
            "sample": sample,
            "target": {"index": target, "label": self.classifier.label(target)},
            "logit": significant(float(logits[target])),
            "probability": significant(probability),
            **more,
        }

    def json(self, name: str, record: Any) -> None:
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        (self.folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")

    def webp(self, name: str, image: Image.Image, quality: int = 80, **options: Any) -> None:
        image.save(self.folder / f"{name}.webp", quality=quality, method=6, **options)
