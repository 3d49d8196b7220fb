"""Finds the layers of a network that Grad-CAM can use, and captures one's feature map during a pass."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NoReturn

from torch import Tensor, nn

from .autograd_graph import Value, cuts, reaches_picture, walk
from .classifier import Classifier
from .errors import InvalidParameter, Refused
from .mirrored_calls import MirroredCall, find_mirrored_calls
from .torch_state import clean_state


@dataclass(frozen=True)
class Layer:
    """A module whose output is a feature map (channels, h, w); `aliases` are inner modules with the same output.

    `whole` says whether every way from the picture to the logits passes through this output: cut there, the logits have
    no gradient. It is false for a branch. `calls` is how often it runs side by side in a pass, none of the calls being
    part of the way to another; 1 for most. Rows of the output beyond one for each picture count as calls too: crops or
    windows that the network stacks along the batch. `call` is the number of the last call that the logits depend on, -1
    where that is the last of all: an auxiliary output may call the module again. `mirrored_calls` are these calls where
    they see the same picture, mirrored or not, so that their maps can be added up; empty for one call, and where they
    see something else.
    """

    name: str
    shape: tuple[int, int, int]
    aliases: tuple[str, ...] = ()
    whole: bool = True
    calls: int = 1
    mirrored_calls: tuple[MirroredCall, ...] = ()
    call: int = -1


@dataclass(frozen=True)
class FeatureLayers:
    """The layers with feature maps in execution order, and the one that Grad-CAM takes by itself; None if there is none
    that all of the score passes through, late enough."""

    layers: list[Layer]
    default: str | None

    def find(self, name: str) -> Layer | None:
        """The layer with this name, or with this alias."""
        return next((layer for layer in self.layers if name == layer.name or name in layer.aliases), None)


@dataclass(frozen=True)
class _Output:
    """A module's output, of its call of this number. The tensor is kept alive, so that no other tensor gets the same
    id."""

    name: str
    call: int
    module: nn.Module
    tensor: Tensor
    version: int
    value: Value | None  # in the autograd graph; None if there is none

    @property
    def identity(self) -> tuple[int, int]:
        # An in-place activation returns its input tensor; only the tensor's version number has changed.
        return id(self.tensor), self.version


def find_layers(classifier: Classifier, probe: Tensor) -> FeatureLayers:
    """The layers with a spatial feature map, in execution order, and Grad-CAM's automatic layer among them.

    A layer qualifies if its output is (N, C, h, w) with h·w > 1 and the input's aspect h:w, and if it is not an
    identity, dropout, pooling or softmax, nor a map of class scores (SqueezeNet ends in one). If several modules
    have the same output tensor, the outermost gives the name. Layers of auxiliary heads do not qualify, because the
    logits do not depend on them. There are none if most layers with weights come after the last one found and work
    on tokens or channels-last arrays: a vision transformer's patch embedding is not a late feature map. For the same
    reason there is no automatic layer if most of them come after the last one that all of the score passes through.
    """
    outputs, logits, call_counts = _outputs(classifier, probe)
    excluded = {o.identity for o in outputs if _is_weightless(o.module, "pool", "softmax")}
    last_weight = max((i for i, o in enumerate(outputs) if _has_weights(o.module)), default=-1)
    found: dict[tuple[int, int], tuple[int, _Output, tuple[str, ...]]] = {}
    for i, output in enumerate(outputs):
        if _is_weightless(output.module, "identity", "drop") or output.identity in excluded:
            continue
        if not _is_spatial(output.tensor, probe) or (
            output.tensor.shape[1] == len(classifier.labels) and i >= last_weight
        ):
            continue
        inner = found.pop(output.identity, None)
        found[output.identity] = i, output, (inner[1].name, *inner[2]) if inner else ()
    positioned = [i for i, o in enumerate(outputs) if _has_weights(o.module) and _has_positions(o.tensor)]

    def is_late(index: int) -> bool:
        return sum(i > index for i in positioned) <= len(positioned) / 2

    if not found or not is_late(max(i for i, _, _ in found.values())):
        return FeatureLayers([], None)
    on_all_paths = cuts(logits) if logits is not None else None
    side_by_side = _side_by_side(outputs)
    layers: dict[str, Layer] = {}
    default = None
    for i, output, aliases in found.values():
        calls = side_by_side.get(output.name, {})
        whole = on_all_paths is None or output.value in on_all_paths
        if not whole and logits is not None and len(calls) > 1:
            whole = not reaches_picture(logits, calls.values())
        rows, channels, height, width = output.tensor.shape
        stacked = rows // len(probe)
        can_be_mirrored = whole and len(calls) > 1 and stacked == 1
        mirrored = find_mirrored_calls(classifier, output.name, tuple(calls)) if can_be_mirrored else ()
        layers.pop(output.name, None)  # a module called twice moves to its last call, because `captured` keeps that one
        count = max(1, len(calls)) * max(1, stacked)
        call = -1 if output.call == call_counts[output.name] - 1 else output.call
        layer = Layer(output.name, (channels, height, width), aliases, whole, count, mirrored, call)
        whole = whole and (layer.calls == 1 or bool(mirrored))
        layers[output.name] = layer
        default = output.name if whole and is_late(i) else None if default == output.name else default
    return FeatureLayers(list(layers.values()), default)


def choose_layer(found: FeatureLayers, name: str, method: str) -> str:
    """The layer called `name`; the automatic one for `auto`.

    Raises `Refused` if there are no layers, none for `auto`, or if the layer runs several times side by side, and
    `InvalidParameter` of `method` if none has that name.
    """
    if not found.layers:
        raise Refused(
            "Grad-CAM needs a spatial feature map (N, C, h, w), and this model has none (it works on tokens or "
            "channels-last arrays, or pools at once). Take another method."
        )
    if name == "auto":
        return found.default if found.default is not None else _refuse_automatic(found.layers, method)
    names = [layer.name for layer in found.layers]
    layer = found.find(name)
    if layer is None:
        similar = difflib.get_close_matches(name, names, 3, 0.3) or names[-3:]
        automatic = f"; the automatic one is {found.default}" if found.default else ""
        raise InvalidParameter(
            f"{method}.layer: «{name[:80]}» is no layer with a spatial feature map. Near: {', '.join(similar)}"
            f"{automatic}.",
            method,
            "layer",
        )
    if layer.calls > 1 and not layer.mirrored_calls:
        raise Refused(_runs_several_times(layer))
    return layer.name if layer.mirrored_calls or layer.call >= 0 else name  # not an alias: call numbers are the layer's


def _refuse_automatic(layers: list[Layer], method: str) -> NoReturn:
    """Say why there is no automatic layer."""
    repeated = next((layer for layer in reversed(layers) if layer.calls > 1), None)
    if repeated is not None:
        raise Refused(_runs_several_times(repeated))
    near = ", ".join(layer.name for layer in layers[-3:])
    raise Refused(
        "This model has no late feature map (N, C, h, w) that all of the score passes through: its last layers are "
        "branches, beside tokens or a skip connection. Take another method, or name a branch by "
        f"{method}.layer: {near}."
    )


def _runs_several_times(layer: Layer) -> str:
    times = {2: "twice", 3: "three times"}.get(layer.calls, f"{layer.calls} times")
    return (
        f"«{layer.name}» runs {times} in a pass, side by side, as in an average over several crops of a picture. A map "
        "of one run would hide the others, and how their places in the picture belong together is not known. Explain "
        "the network without that average, or take another method."
    )


class Capture:
    """Holds the captured layer's feature maps of a pass, (N, C, h, w), one for each call, as leaves of the graph."""

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


def _outputs(classifier: Classifier, probe: Tensor) -> tuple[list[_Output], Tensor | None, Counter[str]]:
    """The outputs of the modules that the logits depend on, in execution order; the logits if they have a graph; and
    how often each module was called, also for what the logits do not depend on.

    The outputs are those of all modules if there is no graph, because the network computes without gradients.
    """
    outputs: list[_Output] = []
    calls: Counter[str] = Counter()
    with clean_state(), ExitStack() as hooks:
        for name, module in classifier.network.named_modules():
            if name:
                handle = module.register_forward_hook(_recorder(name, outputs, calls))
                hooks.callback(handle.remove)
        logits = classifier(classifier.to_memory_format(probe).clone().requires_grad_())
    if logits.grad_fn is None:
        return outputs, None, calls
    path = set(walk(logits.grad_fn))
    return [output for output in outputs if output.value is not None and output.value[0] in path], logits, calls


def _side_by_side(outputs: list[_Output]) -> dict[str, dict[int, Value]]:
    """The calls of modules that run several times side by side, by name: numbers and outputs of those calls whose
    output is not on the way to that of another call."""
    by_name: dict[str, dict[Value, int]] = {}
    for output in outputs:
        if output.value is not None:
            by_name.setdefault(output.name, {}).setdefault(output.value, output.call)
    found = {}
    for name, values in by_name.items():
        if len(values) > 1:
            before = {node for node_of, _ in values for node in walk(node_of) if node is not node_of}
            found[name] = {call: value for value, call in values.items() if value[0] not in before}
    return found


def _recorder(name: str, outputs: list[_Output], calls: Counter[str]):  # type: ignore[no-untyped-def]
    """A forward hook that appends a module's output to `outputs`, and counts its calls."""

    def record(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            value = None if output.grad_fn is None else (output.grad_fn, output.output_nr)
            outputs.append(_Output(name, calls[name], module, output, output._version, value))
            calls[name] += 1

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
