"""Finds the layers of a network that Grad-CAM can use, and captures one's feature map during a pass."""

from __future__ import annotations

import difflib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import NoReturn

from torch import Tensor, nn

from .autograd_graph import Value, cuts, reaches_picture, walk
from .classifier import Classifier
from .errors import InvalidParameter, Refused
from .layouts import Layout, fits, grids_in, possible_layouts
from .memory import out_of_memory
from .mirrored_calls import MirroredCall, find_mirrored_calls
from .places import Call, declared_prefixes, last_gate, places_reached, proven_layouts
from .torch_state import clean_state

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Layer:
    """A module whose output is a feature map (channels, h, w); `aliases` are inner modules with the same output.

    `whole` says whether every way from the picture to the logits passes through this output: cut there, the logits have
    no gradient. It is false for a branch. `calls` is how often it runs side by side in a pass, none of the calls being
    part of the way to another; 1 for most. Rows of the output beyond one for each picture count as calls too: crops or
    windows that the network stacks along the batch. `call` is the number of the last call that the logits depend on, -1
    where that is the last of all: an auxiliary output may call the module again. `mirrored_calls` are these calls where
    they see the same picture, mirrored or not, so that their maps can be added up; empty for one call, and where they
    see something else. `layout` says how the places lie in the output, `reached` whether the logits have a
    gradient there.
    """

    name: str
    shape: tuple[int, int, int]
    aliases: tuple[str, ...]
    whole: bool
    calls: int
    mirrored_calls: tuple[MirroredCall, ...]
    call: int
    layout: Layout
    reached: bool


@dataclass(frozen=True)
class FeatureLayers:
    """The layers with feature maps in execution order, and the one that Grad-CAM takes by itself; None if there is none
    that all of the score passes through, late enough. `unproven` are outputs that could be maps, but whose places could
    not be shown to follow the picture."""

    layers: list[Layer]
    default: str | None
    unproven: tuple[str, ...] = ()

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

    @property
    def identified(self) -> Call:
        return self.name, self.call


@dataclass(frozen=True)
class _Candidate:
    """An output that could be a layer's, its place in the execution order, and inner modules with the same output."""

    index: int
    output: _Output
    layout: Layout
    aliases: tuple[str, ...]


def find_layers(classifier: Classifier, probe: Tensor) -> FeatureLayers:
    """The layers with a spatial feature map, in execution order, and Grad-CAM's automatic layer among them.

    A layer qualifies if its output is (N, C, h, w) with h·w > 1 and the input's aspect h:w, and if it is not an
    identity, dropout, pooling or softmax, nor a map of class scores (SqueezeNet ends in one). Outputs (N, h, w, C) and
    tokens qualify where `proven_layouts` shows that their places follow the picture, if all of the score passes through
    them or they are normalisations. If several modules have the same output tensor, the outermost gives the name.
    Layers of auxiliary heads do not qualify, because the logits do not depend on them. There are none if most layers
    with weights come after the last one found and work on arrays that did not qualify. For the same reason there is no
    automatic layer if most of them come after the last one that all of the score passes through.
    """
    outputs, logits, call_counts = _outputs(classifier, probe)
    on_all_paths = cuts(logits) if logits is not None else None
    found, unproven = _candidates(classifier, probe, outputs, on_all_paths)
    positioned = [i for i, o in enumerate(outputs) if _has_weights(o.module) and _has_positions(o.tensor)]

    def is_late(index: int) -> bool:
        return sum(i > index for i in positioned) <= len(positioned) / 2

    if not found or not is_late(max(c.index for c in found)):
        return FeatureLayers([], None, unproven)
    reached = _reached(classifier, found)
    side_by_side = _side_by_side(outputs)
    layers: dict[str, Layer] = {}
    default: _Candidate | None = None
    for candidate in found:
        output, layout = candidate.output, candidate.layout
        calls = side_by_side.get(output.name, {})
        whole = on_all_paths is None or output.value in on_all_paths
        if not whole and logits is not None and len(calls) > 1:
            whole = not reaches_picture(logits, calls.values())
        stacked = len(output.tensor) // len(probe)
        can_be_mirrored = whole and len(calls) > 1 and stacked == 1
        mirrored = find_mirrored_calls(classifier, output.name, tuple(calls), layout) if can_be_mirrored else ()
        layers.pop(output.name, None)  # a module called twice moves to its last call, because `captured` keeps that one
        count = max(1, len(calls)) * max(1, stacked)
        call = -1 if output.call == call_counts[output.name] - 1 else output.call
        shape = (layout.spatial(output.tensor).shape[1], *layout.grid)
        layer = Layer(
            output.name, shape, candidate.aliases, whole, count, mirrored, call, layout, output.identified in reached
        )
        layers[output.name] = layer
        if whole and layer.reached and (layer.calls == 1 or bool(mirrored)) and is_late(candidate.index):
            default = candidate
        elif default is not None and default.output.name == output.name:
            default = None
    name = None if default is None else _gate_after(classifier, default, found, layers) or default.output.name
    return FeatureLayers(list(layers.values()), name, unproven)


def _candidates(
    classifier: Classifier, probe: Tensor, outputs: list[_Output], on_all_paths: set[Value] | None
) -> tuple[list[_Candidate], tuple[str, ...]]:
    """The outputs that qualify as `find_layers` says, in execution order; and the names of those that could be maps,
    but whose layout could not be proven."""
    size = (probe.shape[-2], probe.shape[-1])
    excluded = {o.identity for o in outputs if _is_weightless(o.module, "pool", "softmax")}
    last_weight = max((i for i, o in enumerate(outputs) if _has_weights(o.module)), default=-1)
    known = sorted({grid for o in outputs for grid in grids_in(tuple(o.tensor.shape), size)})
    prefixes = declared_prefixes(classifier)
    found: dict[tuple[int, int], _Candidate] = {}
    possible: dict[Call, list[Layout]] = {}
    for i, output in enumerate(outputs):
        shape = tuple(output.tensor.shape)
        if _is_weightless(output.module, "identity", "drop") or output.identity in excluded:
            continue
        layouts: list[Layout] = []
        if len(shape) == 4 and fits((shape[2], shape[3]), size):
            if shape[1] == len(classifier.labels) and i >= last_weight:
                continue
            layouts = [Layout("channels_first", (shape[2], shape[3]))]
            if last := possible_layouts(shape, size, (), ()):  # by its shape, it could be either
                possible[output.identified] = [*layouts, *last]
        elif on_all_paths is not None and (output.value in on_all_paths or _is_normalisation(output.module)):
            layouts = possible[output.identified] = possible_layouts(shape, size, known, prefixes)
        if not layouts:
            continue
        inner = found.pop(output.identity, None)
        aliases = (inner.output.name, *inner.aliases) if inner else ()
        found[output.identity] = _Candidate(i, output, layouts[0], aliases)
    others = [c.output for c in found.values() if c.output.identified in possible]
    if on_all_paths is None or not any(output.value in on_all_paths for output in others):
        return [c for c in found.values() if c.layout.kind == "channels_first"], ()  # a CNN's normalisations only
    proven = _attempt_proof(classifier, {output.identified: possible[output.identified] for output in others})
    kept, unproven = [], []
    for candidate in found.values():
        call = candidate.output.identified
        if call in proven:
            kept.append(replace(candidate, layout=proven[call]))
        elif candidate.layout.kind == "channels_first":  # as every convolution puts it out
            kept.append(candidate)
        else:
            unproven.append(candidate.output.name)
    return kept, tuple(unproven)


def _attempt_proof(classifier: Classifier, possible: Mapping[Call, Sequence[Layout]]) -> dict[Call, Layout]:
    """`proven_layouts`; none where the passes for the proof fail."""
    try:
        return proven_layouts(classifier, possible)
    except Exception as error:  # a network may contain anything
        if out_of_memory(error):
            raise
        log.info("no layout of tokens could be proven", exc_info=True)
        return {}


def _reached(classifier: Classifier, found: Sequence[_Candidate]) -> set[Call]:
    """The calls at whose places the logits have a gradient."""
    layouts = {c.output.identified: c.layout for c in found}
    arranged = {call: layout for call, layout in layouts.items() if layout.kind != "channels_first"}
    return layouts.keys() - arranged.keys() | (places_reached(classifier, arranged) if arranged else set())


def _gate_after(
    classifier: Classifier, default: _Candidate, found: Sequence[_Candidate], layers: Mapping[str, Layer]
) -> str | None:
    """The name of the normalisation after the automatic layer that all gradients of its places pass through."""
    if default.layout.kind != "tokens" or all(layer.reached for layer in layers.values()):
        return None
    later = {
        c.output.identified: c.layout
        for c in found
        if c.index > default.index
        and c.layout == default.layout
        and layers[c.output.name].reached
        and layers[c.output.name].calls == 1
    }
    start = default.output.identified
    gate = last_gate(classifier, start, list(later), {start: default.layout, **later}) if later else None
    return gate[0] if gate else None


def choose_layer(found: FeatureLayers, name: str, method: str, by_gradient: bool = True) -> str:
    """The layer called `name`; the automatic one for `auto`.

    Raises `Refused` if there are no layers, none for `auto`, or if the layer runs several times side by side, or has no
    gradient although the method goes `by_gradient`; and `InvalidParameter` of `method` if none has that name.
    """
    if not found.layers:
        raise Refused(_no_layers(found))
    if name == "auto":
        return found.default if found.default is not None else _refuse_automatic(found, method)
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
    if by_gradient and not layer.reached:
        other = f" The last one that they are read from is «{found.default}»." if found.default else ""
        raise Refused(
            f"The patch tokens of «{layer.name}» get no gradient: after it only the class token is read. A class "
            f"activation map of it would be zero everywhere. Take an earlier layer.{other}"
        )
    return layer.name if layer.mirrored_calls or layer.call >= 0 else name  # not an alias: call numbers are the layer's


def _no_layers(found: FeatureLayers) -> str:
    """Why there are no layers."""
    if found.unproven:
        return (
            "A class activation map needs a spatial feature map, and it could not be shown that the places of this "
            f"model's tokens ({', '.join(found.unproven[-3:])}) follow the picture row by row: their map could lie "
            "anywhere. Take another method."
        )
    return (
        "A class activation map needs a spatial feature map, (N, C, h, w), (N, h, w, C) or tokens on a grid, and this "
        "model has none late enough: it pools at once, or its tokens have no grid. Take another method."
    )


def _refuse_automatic(found: FeatureLayers, method: str) -> NoReturn:
    """Say why there is no automatic layer."""
    layers = found.layers
    repeated = next((layer for layer in reversed(layers) if layer.calls > 1), None)
    if repeated is not None:
        raise Refused(_runs_several_times(repeated))
    near = ", ".join(layer.name for layer in layers[-3:])
    raise Refused(
        "This model has no late feature map that all of the score passes through: its last layers are branches, beside "
        f"others or a skip connection. Take another method, or name a branch by {method}.layer: {near}."
    )


def _runs_several_times(layer: Layer) -> str:
    times = {2: "twice", 3: "three times"}.get(layer.calls, f"{layer.calls} times")
    return (
        f"«{layer.name}» runs {times} in a pass, side by side, as in an average over several crops of a picture. A map "
        "of one run would hide the others, and how their places in the picture belong together is not known. Explain "
        "the network without that average, or take another method."
    )


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


def _is_normalisation(module: nn.Module) -> bool:
    return "norm" in type(module).__name__.lower()
