"""Measures the size of the gradient at every layer by one forward and one backward pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.autograd.graph import Node

from ..autograd_graph import ATTENTION, GATES, GUIDED, NORMALISATIONS, follows_reduction, kind, walk  # fmt: skip
from ..classifier import Classifier
from ..counters import counters
from ..errors import Refused
from ..gradients import gradient_at, retry_adapted
from ..score import Score
from ..torch_state import clean_state
from .activations import Slopes, slopes
from .calls import ModuleCalls, number_of, record_calls
from .pooling import Pooling, measure_pooling, pooled_values, pooling_kind

PICTURE = "picture"
# Common names for autograd's names.
COMMON_NAMES = {
    **dict.fromkeys(("nativebatchnorm", "cudnnbatchnorm", "miopenbatchnorm", "batchnormimpl"), "batch_norm"),
    **dict.fromkeys(("nativelayernorm", "nativegroupnorm", "fusedrmsnorm"), "norm"),
    **dict.fromkeys(("addmm", "mm", "linear", "mkldnnlinear"), "linear"),
    **dict.fromkeys(("maxpool2dwithindices", "maxpool3dwithindices", "adaptivemaxpool2d", "amax"), "max_pool"),
    **dict.fromkeys(("avgpool2d", "avgpool3d", "adaptiveavgpool2d", "mkldnnadaptiveavgpool2d", "mean"), "avg_pool"),
    **dict.fromkeys(("convolution", "mkldnnconvolution", "cudnnconvolution", "convolutionoverrideable"), "conv"),
    **{"safesoftmax": "softmax", "prelukernel": "prelu"},
}
# Always layers; sums, products and views are layers only as a module's output.
WEIGHTED = frozenset(("Addmm", "Mm", "Linear", "MkldnnLinear"))
PLAIN_NORMALISATIONS = NORMALISATIONS - frozenset(("LinalgVectorNorm", "Norm", "Var", "VarMean", "Std", "StdMean"))
ACTIVATIONS = GUIDED | GATES | {"Glu", "ClampMax", "LogSigmoid"}
# Operations that change only order or shape.
SHAPE_OPERATIONS = frozenset(
    (
        "View UnsafeView ReshapeAlias UnsafeReshape Squeeze Unsqueeze Permute Transpose T Movedim Expand Slice Select "
        "Clone Alias AsStrided ToCopy Copy Contiguous Flip Roll Split SplitWithSizes UnsafeSplit Unbind Chunk"
    ).split()
)


@dataclass
class LayerGradient:
    """A layer's output, and the gradient of the score with respect to it, ∂S/∂output.

    `norm` is the gradient's L2 norm; `rms` = norm / √elements makes layers of different size comparable. Both are None
    if a value is not finite. `call` numbers the calls of a module that is called several times. `into` has the indices,
    in the list of layers, of the layers that use its output, directly or through operations that are no layers. `sum`:
    what goes in, or what it computes, is a sum of several layers' outputs, as a residual connection makes it.
    """

    name: str
    kind: str
    operation: str
    shape: tuple[int, ...]
    call: int = 1
    norm: float | None = 0.0
    slopes: Slopes = field(default_factory=Slopes)
    pooling: Pooling | None = None
    into: tuple[int, ...] = ()
    sum: bool = False

    @property
    def elements(self) -> int:
        return torch.Size(self.shape).numel()

    @property
    def rms(self) -> float | None:
        return None if self.norm is None else self.norm / max(1, self.elements) ** 0.5

    def set_gradient(self, gradient: Tensor | None) -> None:
        """Set the norm from the gradient of the output, (1, …), if there is one."""
        if gradient is None:
            return
        norm = float(torch.linalg.vector_norm(gradient.detach(), dtype=torch.float64))
        self.norm = norm if norm < float("inf") else None  # also None for NaN


def measure(classifier: Classifier, picture: Tensor, score: Score) -> list[LayerGradient]:
    """The picture, (C, H, W), and the layers between it and its score, in order of computation.

    Layers are found in the autograd graph of the pass. So functional, in-place and repeated ones are included, and none
    that the score does not depend on. Raises `Refused` if the logits do not depend on the picture, or if the network
    cannot be looked into.
    """
    with clean_state():
        gradient, layers, operations = retry_adapted(classifier, lambda: _measure(classifier, picture, score))
    counters.add(1)
    first = LayerGradient(PICTURE, "Input", PICTURE, tuple(picture.shape))
    first.set_gradient(gradient)
    _set_users(first, layers, operations)
    return _number_calls([first, *layers])


def _measure(
    classifier: Classifier, picture: Tensor, score: Score
) -> tuple[Tensor | None, list[LayerGradient], list[Node]]:
    """The gradient at the picture, and the layers with their operations."""
    x = classifier.to_memory_format(picture.detach()[None]).clone().requires_grad_()
    with _recorded(classifier) as calls:
        logits = classifier(x)
    if logits.grad_fn is None:
        raise Refused("The logits do not depend on the picture by differentiable steps: there is no gradient.")
    operations = _operations(walk(logits.grad_fn), calls)
    layers = _layers(operations, calls)
    for operation, layer in zip(operations, layers, strict=True):
        _register_hooks(operation, layer, calls)
    return gradient_at(x, score(logits).sum(), classifier), layers, operations


@contextmanager
def _recorded(classifier: Classifier) -> Iterator[ModuleCalls]:
    """A context in which the calls of modules are recorded. Raises `Refused` where modules take no hooks."""
    with ExitStack() as hooks:
        try:
            calls = hooks.enter_context(record_calls(classifier.network))
        except RuntimeError as error:  # scripted modules
            raise Refused(
                f"This model cannot be looked into ({str(error)[:160]}), so its layers' gradients cannot be measured."
            ) from error
        yield calls


def _operations(operations: list[Node], calls: ModuleCalls) -> list[Node]:
    """The operations that are layers, in order of computation."""
    outputs = {call.output for call in calls.entries if call.output is not None}
    found = [
        operation
        for operation in operations
        if _is_layer(operation)
        or (operation in outputs and kind(operation) not in {*SHAPE_OPERATIONS, "AccumulateGrad"})
    ]
    return sorted(found, key=number_of)


def _is_layer(operation: Node) -> bool:
    name = kind(operation)
    if name in ("Clamp", "ClampMin", "ClampMax") and follows_reduction(operation):
        return False  # part of a norm in a denominator
    return (
        name in ACTIVATIONS
        or name in WEIGHTED
        or name in PLAIN_NORMALISATIONS
        or "Conv" in name
        or ATTENTION.fullmatch(name) is not None
        or pooling_kind(operation) is not None
    )


def _layers(operations: list[Node], calls: ModuleCalls) -> list[LayerGradient]:
    """A layer for each operation, named after the module whose output it is, or that it belongs to."""
    module_calls = [calls.innermost_call(number_of(operation)) for operation in operations]
    counts = Counter(id(call) for call in module_calls)
    layers = []
    for operation, call in zip(operations, module_calls, strict=True):
        layer_name = layer_kind = name = common_name(operation)
        if call is not None and call.name:
            # a module's output may be a view of its only operation's result
            is_output = call.output is operation or (call.leaf and counts[id(call)] == 1)
            layer_name = call.name if is_output else f"{call.name}:{name}"
            layer_kind = call.kind if is_output and call.leaf else name
        layers.append(LayerGradient(layer_name, layer_kind, name, _shape(operation), slopes=slopes(operation)))
    return layers


def common_name(operation: Node) -> str:
    """The common name of an operation: relu, max_pool, conv; otherwise autograd's name in lower case."""
    name = kind(operation).lower()
    return COMMON_NAMES.get(name, name)


def _shape(operation: Node) -> tuple[int, ...]:
    saved: object = operation
    return tuple(int(side) for side in saved._input_metadata[0].shape)[1:]  # type: ignore[attr-defined]


def _register_hooks(operation: Node, layer: LayerGradient, calls: ModuleCalls) -> None:
    """Register hooks that set the layer's gradient, and the figures of a pooling, in the backward pass."""

    def on_output_gradient(gradients: tuple[Tensor | None, ...]) -> None:
        layer.set_gradient(gradients[0])

    operation.register_prehook(on_output_gradient)
    pooling = pooling_kind(operation)
    if pooling is None:
        return

    values = pooled_values(operation, calls.innermost_call(number_of(operation)))

    def on_input_gradient(inputs: tuple[Tensor | None, ...], outputs: tuple[Tensor | None, ...]) -> None:
        if inputs[0] is not None:
            layer.pooling = measure_pooling(pooling, inputs[0].detach(), operation, values, layer.shape)

    operation.register_hook(on_input_gradient)


def _set_users(first: LayerGradient, layers: list[LayerGradient], operations: list[Node]) -> None:
    """Set for each layer which layers use its output, directly or through other operations, and whether it sums."""
    indices = {operation: index for index, operation in enumerate(operations, start=1)}
    into: dict[int, set[int]] = {}
    layer_at = [first, *layers]
    for operation, index in indices.items():
        stack, seen = [operation], {operation}
        while stack:
            node = stack.pop()
            if kind(node) == "Add" and sum(_computed(child) for child, _ in node.next_functions) > 1:
                layer_at[index].sum = True
            for child, _ in node.next_functions:
                if child is None or child in seen:
                    continue
                seen.add(child)
                if child in indices:
                    into.setdefault(indices[child], set()).add(index)
                elif kind(child) == "AccumulateGrad":
                    into.setdefault(0, set()).add(index)
                else:
                    stack.append(child)
    for index, layer in enumerate(layer_at):
        layer.into = tuple(sorted(into.get(index, ())))


def _computed(operation: Node | None) -> bool:
    """Whether an operation computes something; a parameter and the picture are only there."""
    return operation is not None and kind(operation) != "AccumulateGrad"


def _number_calls(layers: list[LayerGradient]) -> list[LayerGradient]:
    """Number the calls of layers with the same name."""
    seen_names: Counter[str] = Counter()
    for layer in layers:
        seen_names[layer.name] += 1
        layer.call = seen_names[layer.name]
    return layers
