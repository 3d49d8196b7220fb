"""One pass up and one back, with the size of the gradient at every layer on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.autograd.graph import Node

from ..autograd_graph import ATTENTION, GATES, GUIDED, NORMALISATIONS, follows_reduction, kind, walk  # fmt: skip
from ..classifier import Classifier
from ..counters import counters
from ..errors import Refused
from ..score import Score
from .activations import Slopes, slopes
from .calls import ModuleCalls, noted, number_of
from .pooling import Pooling, how, pooled

PICTURE = "picture"
# Autograd's names of what people call otherwise.
PLAIN = {
    **dict.fromkeys(("nativebatchnorm", "cudnnbatchnorm", "miopenbatchnorm", "batchnormimpl"), "batch_norm"),
    **dict.fromkeys(("nativelayernorm", "nativegroupnorm", "fusedrmsnorm"), "norm"),
    **dict.fromkeys(("addmm", "mm", "linear", "mkldnnlinear"), "linear"),
    **dict.fromkeys(("maxpool2dwithindices", "maxpool3dwithindices", "adaptivemaxpool2d", "amax"), "max_pool"),
    **dict.fromkeys(("avgpool2d", "avgpool3d", "adaptiveavgpool2d", "mkldnnadaptiveavgpool2d", "mean"), "avg_pool"),
    **dict.fromkeys(("convolution", "mkldnnconvolution", "cudnnconvolution", "convolutionoverrideable"), "conv"),
    **{"safesoftmax": "softmax", "prelukernel": "prelu"},
}
# What is a layer whether or not it is a module's output; sums, products and views are only where they are.
WEIGHTED = frozenset(("Addmm", "Mm", "Linear", "MkldnnLinear"))
PLAIN_NORMALISATIONS = NORMALISATIONS - frozenset(("LinalgVectorNorm", "Norm", "Var", "VarMean", "Std", "StdMean"))
ACTIVATIONS = GUIDED | GATES | {"Glu", "ClampMax", "LogSigmoid"}
# Operations that only hand on what they were given, perhaps in another order or shape.
MOVES = frozenset(
    (
        "View UnsafeView ReshapeAlias UnsafeReshape Squeeze Unsqueeze Permute Transpose T Movedim Expand Slice Select "
        "Clone Alias AsStrided ToCopy Copy Contiguous Flip Roll Split SplitWithSizes UnsafeSplit Unbind Chunk"
    ).split()
)


@dataclass
class LayerGradient:
    """What came out of a layer, and the gradient of the score with respect to it, ∂S/∂output.

    `norm` is the gradient's L2 norm, `rms` = norm / √elements, so that layers of different size compare; both are None
    where a value is not finite. `call` counts the calls of a module that is called several times. `into` are the
    places, in the list of layers, of those that take its output, but for what stands between them and is no layer.
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

    @property
    def elements(self) -> int:
        return torch.Size(self.shape).numel()

    @property
    def rms(self) -> float | None:
        return None if self.norm is None else self.norm / max(1, self.elements) ** 0.5

    def receive(self, gradient: Tensor | None) -> None:
        """Take what comes back from above: (1, …), or nothing."""
        if gradient is None:
            return
        norm = float(torch.linalg.vector_norm(gradient.detach(), dtype=torch.float64))
        self.norm = norm if norm < float("inf") else None  # NaN is not below it either


def measure(classifier: Classifier, picture: Tensor, score: Score) -> list[LayerGradient]:
    """The layers between a picture, (C, H, W), and its score, in the order in which they are computed; first itself.

    Layers are found on the autograd graph of the pass, so functional, in-place and repeated ones are there, and none
    that the score does not depend on. Raises `Refused` where the logits do not depend on the picture.
    """
    with torch.enable_grad():
        x = picture.detach()[None].clone().requires_grad_()
        with noted(classifier.network) as calls:
            logits = classifier(x)
        if logits.grad_fn is None:
            raise Refused("The logits do not depend on the picture by differentiable steps: there is no gradient.")
        operations = _operations(walk(logits.grad_fn), calls)
        layers = _layers(operations, calls)
        for operation, layer in zip(operations, layers, strict=True):
            _listen(operation, layer)
        (gradient,) = torch.autograd.grad(score(logits).sum(), x)
    counters.add(1)
    first = LayerGradient(PICTURE, "Input", PICTURE, tuple(picture.shape))
    first.receive(gradient)
    _connect(first, layers, operations)
    return _counted([first, *layers])


def _operations(way: list[Node], calls: ModuleCalls) -> list[Node]:
    """The operations that are layers, in the order in which they were done."""
    outputs = {call.output for call in calls.made if call.output is not None}
    found = [
        operation
        for operation in way
        if _is_layer(operation) or (operation in outputs and kind(operation) not in {*MOVES, "AccumulateGrad"})
    ]
    return sorted(found, key=number_of)


def _is_layer(operation: Node) -> bool:
    name = kind(operation)
    if name in ("Clamp", "ClampMin", "ClampMax") and follows_reduction(operation):
        return False  # the norm that something is divided by
    return (
        name in ACTIVATIONS
        or name in WEIGHTED
        or name in PLAIN_NORMALISATIONS
        or "Conv" in name
        or ATTENTION.fullmatch(name) is not None
        or how(operation) is not None
    )


def _layers(operations: list[Node], calls: ModuleCalls) -> list[LayerGradient]:
    """A layer for each operation, named after the module whose output it is, or in which it was done."""
    around = [calls.around(number_of(operation)) for operation in operations]
    within = Counter(id(call) for call in around)
    layers = []
    for operation, call in zip(operations, around, strict=True):
        own = what = name = plain_name(operation)
        if call is not None and call.name:
            # what a module puts out may be a view of the one thing that it computes
            itself = call.output is operation or (call.leaf and within[id(call)] == 1)
            own = call.name if itself else f"{call.name}:{name}"
            what = call.kind if itself and call.leaf else name
        layers.append(LayerGradient(own, what, name, _shape(operation), slopes=slopes(operation)))
    return layers


def plain_name(operation: Node) -> str:
    """The name of an operation: relu, max_pool, conv; autograd's own, in small letters, where it has no other."""
    name = kind(operation).lower()
    return PLAIN.get(name, name)


def _shape(operation: Node) -> tuple[int, ...]:
    saved: object = operation
    return tuple(int(side) for side in saved._input_metadata[0].shape)[1:]  # type: ignore[attr-defined]


def _listen(operation: Node, layer: LayerGradient) -> None:
    """Have a layer told of its gradient, and of that of a pooling's input, when the pass goes back."""

    def above(gradients: tuple[Tensor | None, ...]) -> None:
        layer.receive(gradients[0])

    operation.register_prehook(above)
    pooling = how(operation)
    if pooling is None:
        return

    def below(inputs: tuple[Tensor | None, ...], outputs: tuple[Tensor | None, ...]) -> None:
        if inputs[0] is not None:
            layer.pooling = pooled(pooling, inputs[0].detach())

    operation.register_hook(below)


def _connect(first: LayerGradient, layers: list[LayerGradient], operations: list[Node]) -> None:
    """Note at each layer which take its output; what lies between them is passed through."""
    places = {operation: place for place, operation in enumerate(operations, start=1)}
    into: dict[int, set[int]] = {}
    for operation, place in places.items():
        stack, seen = [operation], {operation}
        while stack:
            for child, _ in stack.pop().next_functions:
                if child is None or child in seen:
                    continue
                seen.add(child)
                if child in places:
                    into.setdefault(places[child], set()).add(place)
                elif kind(child) == "AccumulateGrad":
                    into.setdefault(0, set()).add(place)
                else:
                    stack.append(child)
    for place, layer in enumerate([first, *layers]):
        layer.into = tuple(sorted(into.get(place, ())))


def _counted(layers: list[LayerGradient]) -> list[LayerGradient]:
    """Number the calls of those that have the same name."""
    met: Counter[str] = Counter()
    for layer in layers:
        met[layer.name] += 1
        layer.call = met[layer.name]
    return layers
