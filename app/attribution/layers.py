"""Finds the layers of a network that Grad-CAM can use, and captures one's feature map during a pass."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from .autograd_graph import walk
from .classifier import Classifier
from .errors import InvalidParameter, Refused


@dataclass(frozen=True)
class Layer:
    """A module whose output is a feature map (channels, h, w); `aliases` are inner modules with the same output."""

    name: str
    shape: tuple[int, int, int]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Output:
    """A module's output. The tensor is kept alive, so that no other tensor gets the same id."""

    name: str
    module: nn.Module
    tensor: Tensor
    version: int
    operation: Node | None

    @property
    def identity(self) -> tuple[int, int]:
        # An in-place activation returns its input tensor; only the tensor's version number has changed.
        return id(self.tensor), self.version


def find_layers(classifier: Classifier, probe: Tensor) -> list[Layer]:
    """The layers with a spatial feature map, in execution order; Grad-CAM's automatic layer is the last.

    A layer qualifies if its output is (N, C, h, w) with h·w > 1 and the input's aspect h:w, and if it is not an
    identity, dropout, pooling or softmax, nor a map of class scores (SqueezeNet ends in one). If several modules
    have the same output tensor, the outermost gives the name. Layers of auxiliary heads do not qualify, because the
    logits do not depend on them. The list is empty if most layers with weights come after the last one found and work
    on tokens or channels-last arrays: a vision transformer's patch embedding is not a late feature map.
    """
    outputs = _outputs(classifier, probe)
    excluded = {o.identity for o in outputs if _is_weightless(o.module, "pool", "softmax")}
    last_weight = max((i for i, o in enumerate(outputs) if _has_weights(o.module)), default=-1)
    found: dict[tuple[int, int], Layer] = {}
    last = -1  # index of the last layer found
    for i, output in enumerate(outputs):
        if _is_weightless(output.module, "identity", "drop") or output.identity in excluded:
            continue
        if not _is_spatial(output.tensor, probe) or (
            output.tensor.shape[1] == len(classifier.labels) and i >= last_weight
        ):
            continue
        inner = found.pop(output.identity, None)
        _, channels, height, width = output.tensor.shape
        aliases = (inner.name, *inner.aliases) if inner else ()
        found[output.identity] = Layer(output.name, (channels, height, width), aliases)
        last = i
    positioned = [
        i for i, output in enumerate(outputs) if _has_weights(output.module) and _has_positions(output.tensor)
    ]
    if sum(i > last for i in positioned) > len(positioned) / 2:
        return []
    layers: dict[str, Layer] = {}
    for layer in found.values():
        layers.pop(layer.name, None)  # a module called twice moves to its last call, because `captured` keeps that one
        layers[layer.name] = layer
    return list(layers.values())


def choose_layer(layers: list[Layer], name: str, method: str) -> str:
    """The layer called `name`; the last one for `auto`.

    Raises `Refused` if there are no layers, and `InvalidParameter` of `method` if none has that name.
    """
    if not layers:
        raise Refused(
            "Grad-CAM needs a spatial feature map (N, C, h, w), and this model has none (it works on tokens or "
            "channels-last arrays, or pools at once). Take another method."
        )
    if name == "auto":
        return layers[-1].name
    names = [layer.name for layer in layers]
    if name not in names and not any(name in layer.aliases for layer in layers):
        similar = difflib.get_close_matches(name, names, 3, 0.3) or names[-3:]
        raise InvalidParameter(
            f"{method}.layer: «{name[:80]}» is no layer with a spatial feature map. Near: {', '.join(similar)}; "
            f"the automatic one is {names[-1]}.",
            method,
            "layer",
        )
    return name


class Capture:
    """Holds the captured layer's feature map from the latest pass, (N, C, h, w), as a leaf of the autograd graph."""

    features: Tensor


@contextmanager
def captured(classifier: Classifier, layer: str) -> Iterator[Capture]:
    """A context in which each pass stores the layer's output in the `Capture`, and goes on with a clone of it.

    The clone is needed: torchvision's densenet121 applies an in-place ReLU right after `features`.
    """
    capture = Capture()

    def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        capture.features = output.detach().requires_grad_()
        return capture.features.clone()

    handle = classifier.network.get_submodule(layer).register_forward_hook(keep)
    try:
        yield capture
    finally:
        handle.remove()


def _outputs(classifier: Classifier, probe: Tensor) -> list[_Output]:
    """The outputs of the modules that the logits depend on, in execution order.

    Of all modules if autograd has no graph of the pass, because the network computes without gradients.
    """
    outputs: list[_Output] = []
    with torch.enable_grad(), ExitStack() as hooks:
        for name, module in classifier.network.named_modules():
            if name:
                handle = module.register_forward_hook(_recorder(name, outputs))
                hooks.callback(handle.remove)
        logits = classifier(probe.clone().requires_grad_())
    if logits.grad_fn is None:
        return outputs
    path = set(walk(logits.grad_fn))
    return [output for output in outputs if output.operation is None or output.operation in path]


def _recorder(name: str, outputs: list[_Output]):  # type: ignore[no-untyped-def]
    """A forward hook that appends a module's output to `outputs`."""

    def record(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append(_Output(name, module, output, output._version, output.grad_fn))

    return record


def _is_spatial(tensor: Tensor, probe: Tensor) -> bool:
    """Whether a tensor is (N, C, h, w) with several positions and the probe's aspect."""
    if tensor.ndim != 4 or tensor.shape[-1] * tensor.shape[-2] <= 1:
        return False
    h, w = tensor.shape[-2:]
    height, width = probe.shape[-2:]
    return abs(h * width - w * height) <= max(height, width)  # strides may round by one cell


def _has_positions(tensor: Tensor) -> bool:
    """Whether a tensor has positions in the picture: (N, C, h, w), (N, h, w, C) or tokens (N, L, C)."""
    return sum(side > 1 for side in tensor.shape[1:]) > 1


def _is_weightless(module: nn.Module, *words: str) -> bool:
    """Whether a module has no parameters, and a class name with one of these words in it."""
    weightless = next(module.parameters(), None) is None
    return weightless and any(word in type(module).__name__.lower() for word in words)


def _has_weights(module: nn.Module) -> bool:
    """Whether the module itself (not a child) multiplies by a weight matrix or kernel."""
    return any(parameter.ndim >= 2 for parameter in module.parameters(recurse=False))
