"""The networks that are compared, on the CPU and on the card, and with which options; and time of a call."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torchvision.models as tv
from gradoscope.attribution.backends.backend import EagerBackend
from gradoscope.attribution.backends.selection import BackendSelector, prepared
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods.base import find_method, methods
from gradoscope.attribution.score import Score
from torch import Tensor

from tests.support.nets import LITE0, classifier, lite0, sample_pixels, wrap

from .card import Card

CAT = 282
NETS = (LITE0, "resnet18", "vit_tiny", "densenet121", "mobilenet_v3_large", "convnext_atto", "vgg11")
LARGE: dict[str, Callable[[], torch.nn.Module]] = {"resnet50": tv.resnet50, "vit_b_16": tv.vit_b_16}
FEW: dict[str, dict[str, Any]] = {
    "smooth_grad": {"samples": 6},
    "integrated_gradients": {"steps": 6},
    "blur_integrated_gradients": {"steps": 6},
    "gradient_shap": {"samples": 6},
    "occlusion": {"window": 48, "stride": 48},
    "rise": {"masks": 6},
    "guided_integrated_gradients": {"steps": 6},
    **{id: {"samples": 6, "segments": 4, "compactness": 100.0} for id in ("lime", "kernel_shap")},
    **{id: {"channels": 6} for id in ("score_cam", "ablation_cam")},
    "idgi": {"steps": 6},
    "xrai": {"steps": 6},
}


@dataclass(frozen=True)
class Pair:
    """One network on the CPU and on the card; the picture, (3, H, W), on the CPU."""

    name: str
    card: Card
    cpu: Classifier
    x: Tensor

    @cached_property
    def gpu(self) -> Classifier:
        """As the zoo would place it there."""
        return copy.deepcopy(self.cpu).to(self.card.device).use_channels_last()

    @cached_property
    def quick(self) -> BackendSelector:
        """The fastest backend on the card, its trials over."""
        return prepared(self.gpu, "pytorch")

    def engine(self, micro_batch: int = 0) -> Engine:
        return Engine(self.gpu, Score(CAT), self.quick, micro_batch=micro_batch)

    @cached_property
    def cpu_engine(self) -> Engine:
        return Engine(self.cpu, Score(CAT), EagerBackend("plain", self.cpu), micro_batch=8)


@dataclass(frozen=True)
class Check:
    """What all sections are given: the card, whether it is the quick run of a test, rounds of a measurement."""

    card: Card
    small: bool

    @property
    def rounds(self) -> int:
        return 1 if self.small else 5

    def options(self, method: str, few: bool = False) -> dict[str, Any]:
        """Those of a method: its defaults, or few samples."""
        return FEW.get(method, {}) if few or self.small else {}

    def large(self) -> list[Callable[[], Pair]]:
        """resnet50 and vit_b_16, made when they are asked for; small ones in the quick run."""
        if self.small:
            return [lambda name=name: self.known(name, 64) for name in ("resnet18", "vit_64")]  # type: ignore[misc]
        return [lambda name=name: self._drawn(name) for name in LARGE]  # type: ignore[misc]

    def known(self, name: str, side: int = 224) -> Pair:
        """A network of the tests, with seeded random weights; Lite0 with its own."""
        return Pair(name, self.card, lite0() if name == LITE0 else classifier(name, side), sample_pixels("cat", side))

    def _drawn(self, name: str) -> Pair:
        torch.manual_seed(0)
        return Pair(name, self.card, wrap(LARGE[name](), 224, 1000), sample_pixels("cat", 224))


def default_methods() -> list[str]:
    return [id for id, method in methods().items() if method.default]


def map_of(method: str, engine: Engine, x: Tensor, options: dict[str, Any]) -> Tensor | None:
    """The map, in the host's memory; None where the method refuses the network."""
    try:
        return find_method(method).run(engine, x, **options).values.cpu()
    except Refused:
        return None


def timed(card: Card, call: Callable[[], Any]) -> float:
    """Seconds of a call, until all is computed."""
    card.synchronize()
    began = time.perf_counter()
    call()
    card.synchronize()
    return time.perf_counter() - began
