"""A layer's outputs in a pass: captured as leaves of the graph, or with channels set to 0."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .classifier import Classifier
from .layouts import Layout


class Capture:
    """Holds the captured layer's outputs of a pass, one for each call, as leaves of the graph."""

    def __init__(self) -> None:
        self.calls: list[Tensor] = []

    @property
    def features(self) -> Tensor:
        """Those of the last call."""
        return self.calls[-1]


@contextmanager
def captured(classifier: Classifier, layer: str) -> Iterator[Capture]:
    """A context in which each pass stores the layer's output in the `Capture`, and goes on with a clone of it.

    The clone is needed: torchvision's densenet121 applies an in-place ReLU right after `features`.
    """
    capture = Capture()

    def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        features = output.detach().requires_grad_()
        capture.calls.append(features)
        return features.clone()

    handle = classifier.network.get_submodule(layer).register_forward_hook(keep)
    try:
        yield capture
    finally:
        handle.remove()


@contextmanager
def ablated(
    classifier: Classifier, layer: str, calls: Sequence[int], channels: Tensor, layout: Layout | None = None
) -> Iterator[None]:
    """A context in which row i of the layer's output has channel `channels[i]` set to 0, in these calls of a pass:
    at its places by `layout`, so that tokens of no place stay.

    If the pass has one picture only, its feature map is repeated for each channel: the layers above then have a row for
    each, and those below one.
    """
    counted = itertools.count()

    def ablate(module: nn.Module, inputs: object, output: Tensor) -> Tensor | None:
        if next(counted) not in calls:
            return None
        features = output.expand(len(channels), *output.shape[1:]).clone(memory_format=torch.preserve_format)
        places = features if layout is None else layout.spatial(features)
        places[torch.arange(len(channels), device=features.device), channels] = 0
        return features

    handle = classifier.network.get_submodule(layer).register_forward_hook(ablate)
    try:
        yield
    finally:
        handle.remove()
