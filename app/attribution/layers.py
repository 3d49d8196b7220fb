"""Feature maps of a network: which layers Grad-CAM can take, and how to capture one during a pass."""

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
    """A module that puts out a feature map (channels, h, w); `aliases` are modules within, with the same output."""

    name: str
    shape: tuple[int, int, int]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Output:
    """What a module put out, in execution order; the tensor is kept, so that its identity stays its own."""

    name: str
    module: nn.Module
    tensor: Tensor
    version: int
    operation: Node | None

    @property
    def identity(self) -> tuple[int, int]:
        # an in-place activation returns the very tensor that it was given, one version later
        return id(self.tensor), self.version


def find_layers(classifier: Classifier, probe: Tensor) -> list[Layer]:
    """Layers in execution order that hold a spatial feature map; Grad-CAM's automatic layer is the last.

    A layer qualifies where its output is (N, C, h, w) with h·w > 1 and h:w as the input's, where it is not an
    identity, dropout, pooling or softmax, and not the class map itself (SqueezeNet ends in one). Of several modules
    that put out the same tensor, the outermost gives the name. An auxiliary head has none: the logits do not depend on
    it. None qualifies where most of the network works on tokens or channels-last arrays behind the last one: a vision
    transformer's patch embedding is no late feature map.
    """
    outputs = _outputs(classifier, probe)
    excluded = {o.identity for o in outputs if _named(o.module, "pool", "softmax")}
    last_weight = max((i for i, o in enumerate(outputs) if _weighs(o.module)), default=-1)
    found: dict[tuple[int, int], Layer] = {}
    last = -1
    for i, output in enumerate(outputs):
        if _named(output.module, "identity", "drop") or output.identity in excluded:
            continue
        if not _spatial(output.tensor, probe) or (
            output.tensor.shape[1] == len(classifier.labels) and i >= last_weight
        ):
            continue
        within = found.pop(output.identity, None)
        _, channels, height, width = output.tensor.shape
        aliases = (within.name, *within.aliases) if within else ()
        found[output.identity] = Layer(output.name, (channels, height, width), aliases)
        last = i
    placed = [i for i, output in enumerate(outputs) if _weighs(output.module) and _has_places(output.tensor)]
    if sum(i > last for i in placed) > len(placed) / 2:
        return []
    layers: dict[str, Layer] = {}
    for layer in found.values():
        layers.pop(layer.name, None)  # a module that is called twice stands where it ran last: that call is captured
        layers[layer.name] = layer
    return list(layers.values())


def choose_layer(layers: list[Layer], name: str, method: str = "grad_cam") -> str:
    """`name`, or the last layer's where it is `auto`. Raises `Refused`, or `InvalidParameter` of `method`."""
    if not layers:
        raise Refused(
            "Grad-CAM needs a spatial feature map (N, C, h, w), and this model has none (it works on tokens or "
            "channels-last arrays, or pools at once). Take another method."
        )
    if name == "auto":
        return layers[-1].name
    names = [layer.name for layer in layers]
    if name not in names and not any(name in layer.aliases for layer in layers):
        near = difflib.get_close_matches(name, names, 3, 0.3) or names[-3:]
        raise InvalidParameter(
            f"{method}.layer: «{name[:80]}» is no layer with a spatial feature map. Near: {', '.join(near)}; "
            f"the automatic one is {names[-1]}.",
            method,
            "layer",
        )
    return name


class Capture:
    """Holds the feature map that the captured layer put out last, as a leaf of the graph: (N, C, h, w)."""

    features: Tensor


@contextmanager
def captured(classifier: Classifier, layer: str) -> Iterator[Capture]:
    """Within: each pass leaves the layer's output in the capture, and goes on with a clone of it.

    The clone matters: torchvision's densenet121 applies an in-place ReLU right after `features`.
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
    """What every module put out on the way to the logits; all of it, where autograd does not know the way."""
    outputs: list[_Output] = []
    with torch.enable_grad(), ExitStack() as hooks:
        for name, module in classifier.network.named_modules():
            if name:
                handle = module.register_forward_hook(_recorder(name, outputs))
                hooks.callback(handle.remove)
        logits = classifier(probe.clone().requires_grad_())
    if logits.grad_fn is None:
        return outputs
    way = set(walk(logits.grad_fn))
    return [output for output in outputs if output.operation is None or output.operation in way]


def _recorder(name: str, outputs: list[_Output]):  # type: ignore[no-untyped-def]
    def record(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append(_Output(name, module, output, output._version, output.grad_fn))

    return record


def _spatial(tensor: Tensor, probe: Tensor) -> bool:
    if tensor.ndim != 4 or tensor.shape[-1] * tensor.shape[-2] <= 1:
        return False
    h, w = tensor.shape[-2:]
    height, width = probe.shape[-2:]
    return abs(h * width - w * height) <= max(height, width)  # strides round by up to one cell


def _has_places(tensor: Tensor) -> bool:
    """Whether it still tells places in the picture apart: (N, C, h, w), (N, h, w, C) or tokens (N, L, C)."""
    return sum(side > 1 for side in tensor.shape[1:]) > 1


def _named(module: nn.Module, *words: str) -> bool:
    weightless = next(module.parameters(), None) is None
    return weightless and any(word in type(module).__name__.lower() for word in words)


def _weighs(module: nn.Module) -> bool:
    """Whether the module itself (not a child) multiplies by a weight matrix or kernel."""
    return any(parameter.ndim >= 2 for parameter in module.parameters(recurse=False))
