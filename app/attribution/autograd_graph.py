"""Classifies the operations of a forward pass between the picture and the logits.

Walking the autograd graph from the logits visits every operation, whether it came from a module, a function, an
in-place call or scripted code. So none is missed, and a model with unknown operations can be refused by their names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node

# Names of autograd nodes without their suffix; relu6 is a Hardtanh, selu an Elu, clamp(min=0) a ClampMin.
# The activations at which a rule such as guided backprop's changes the backward pass.
GUIDED = frozenset(
    (
        "Relu Hardtanh Threshold Clamp ClampMin LeakyRelu Prelu PreluKernel RreluWithNoise Elu Celu Silu Mish Gelu "
        "Hardswish Softplus"
    ).split()
)
BOUNDS = {"Hardtanh": ("min_val", "max_val"), "Clamp": ("min", "max"), "ClampMin": ("min", ""), "ClampMax": ("", "max")}
GATES = frozenset(("Sigmoid Hardsigmoid Tanh").split())
NORMALISATIONS = frozenset(
    (
        "Softmax SafeSoftmax LogSoftmax NativeBatchNorm CudnnBatchNorm MiopenBatchNorm BatchNormImpl NativeLayerNorm "
        "NativeGroupNorm FusedRmsNorm LinalgVectorNorm Norm Var VarMean Std StdMean"
    ).split()
)
LINEAR = frozenset(
    (
        "Convolution ConvolutionOverrideable CudnnConvolution MkldnnConvolution SlowConv2D ThnnConv2D ConvDepthwise2D "
        "Linear MkldnnLinear Addmm Mm Bmm Baddbmm Addbmm Mv Addmv Dot T Transpose Permute Movedim View UnsafeView "
        "ReshapeAlias UnsafeReshape Expand Squeeze Unsqueeze Slice Select Index IndexSelect Gather Narrow Cat Stack "
        "Split SplitWithSizes UnsafeSplit Unbind Clone Alias AsStrided ToCopy Copy CopyBackwards Contiguous Add Sub "
        "Rsub Neg Mul Div Addcmul Addcdiv Lerp Sum Mean Flip Roll Repeat Tile ConstantPadNd ReflectionPad2D "
        "ReplicationPad2D PixelShuffle PixelUnshuffle Unfold Im2Col Col2Im UpsampleNearest2D UpsampleNearestExact2D "
        "UpsampleBilinear2D UpsampleBilinear2DAa UpsampleBicubic2D UpsampleBicubic2DAa AvgPool2D AvgPool3D "
        "AdaptiveAvgPool1D AdaptiveAvgPool2D MkldnnAdaptiveAvgPool2D NativeDropout MkldnnReshape ToMkldnn ToDense "
        "AccumulateGrad"
    ).split()
)
SELECTIONS = frozenset(
    ("MaxPool2DWithIndices MaxPool3DWithIndices AdaptiveMaxPool2D Max Amax Min Amin Topk Sort").split()
)
# A selection among values that were put side by side can be an activation: max(x, 0).
JOINS = frozenset(("Cat Stack ConstantPadNd").split())
JOINED_SELECTIONS = SELECTIONS - {"MaxPool2DWithIndices", "AdaptiveMaxPool2D"}
BATCH_NORMALISATIONS = frozenset(("NativeBatchNorm CudnnBatchNorm MiopenBatchNorm").split())
# Operations that are linear only if not all of these arguments depend on the picture.
FACTORS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Mul Mm Bmm Mv Dot Linear MkldnnLinear").split(), (0, 1)),
    **dict.fromkeys((name for name in LINEAR if "Conv" in name), (0, 1)),
    **dict.fromkeys(("Addmm Baddbmm Addbmm Addmv Addcmul").split(), (1, 2)),
    **{"Div": (1,), "Addcdiv": (2,), "Lerp": (2,)},
}
ATTENTION = re.compile("ScaledDotProduct.*Attention.*")
ROOTS = frozenset(("Sqrt Rsqrt").split())  # part of a normalisation if they follow a reduction
REDUCTIONS = frozenset(("Sum Mean Var VarMean Std StdMean LinalgVectorNorm Norm").split())
SHAPE_AND_AFFINE = frozenset(
    (
        "Div Mul Add Sub Rsub Neg Expand View UnsafeView ReshapeAlias Unsqueeze Squeeze Clone Alias ToCopy "
        "UpsampleNearest2D UpsampleBilinear2D"
    ).split()
)
POINTWISE = GUIDED | GATES | {"ClampMax"}

Value = tuple[Node, int]  # an output of a node


@dataclass
class Nonlinearities:
    """The pointwise nonlinearities between the picture and the logits: the activations that a rule changes (`guided`),
    the gates that it leaves as they are, and what it does not know."""

    guided: list[Node] = field(default_factory=list)
    gates: list[Node] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def unrectified(self) -> Counter[str]:
        """The kinds of activations in `guided` that are no rectifiers."""
        return Counter(kind(node).lower() for node in self.guided if not rectifies(node))


def classify_nonlinearities(logits: Tensor) -> Nonlinearities:
    """Classify every operation between the picture and the logits: guided, gate, neither, or unknown."""
    found = Nonlinearities()
    if logits.grad_fn is None:
        return found
    nodes = walk(logits.grad_fn)
    users = _users(nodes)
    clamps = {node: clamp for node in nodes if (clamp := _clamp_of_relu(node, users)) is not None}
    for node in nodes:
        name = kind(node)
        if node in clamps:  # x − min(x, 0): as a whole it is a ReLU
            found.guided.append(node)
        elif node in clamps.values():
            pass
        elif isinstance(node, BackwardCFunction):
            found.unknown[f"{name} (an autograd function of the model's own)"] += 1
        elif name == "Mul" and _is_self_gated(node):
            found.unknown["an activation written by hand as x · gate(x)"] += 1
        elif name == "Mul" and _has_mask_factor(node):
            found.unknown["a multiplication by a mask, perhaps an activation written by hand"] += 1
        elif name in ("Add", "Sub", "Rsub") and _is_self_sum(node):
            found.unknown["a sum of a value and an activation of it, perhaps an activation written by hand"] += 1
        elif name in JOINED_SELECTIONS and _selects_from_join(node):
            found.unknown[f"{name.lower()} of values put side by side, perhaps an activation written by hand"] += 1
        elif name in BOUNDS and _is_gate(node, users) and _is_hard_sigmoid(node, users):
            found.gates.append(node)
        elif name in (*ROOTS, "Clamp", "ClampMin") and follows_reduction(node):
            pass  # part of a norm in a denominator
        elif name == "Clamp" and bounds(node)[0] is None:
            found.unknown["clampmax"] += 1
        elif name in GUIDED:
            found.guided.append(node)
        elif name in GATES:
            if _is_gate(node, users):
                found.gates.append(node)
            else:
                found.unknown[f"{name.lower()} (as an activation, not as a gate)"] += 1
        elif name == "Glu":
            found.gates.append(node)
        elif not (name in LINEAR or name in NORMALISATIONS or name in SELECTIONS or ATTENTION.fullmatch(name)):
            found.unknown[name.lower()] += 1
    return found


def nonlinear(logits: Tensor) -> list[Node]:
    """Every operation between the picture and the logits that is not linear in the values that depend on the picture.

    Examples are a product of two such values, and a normalisation by the picture's own statistics, but not a batch
    normalisation by stored statistics.
    """
    return [] if logits.grad_fn is None else [node for node in walk(logits.grad_fn) if not _linear(node)]


def kind(node: Node) -> str:
    """Autograd's name of an operation without suffix: Relu, Hardtanh, MaxPool2DWithIndices."""
    return re.sub(r"Backward\d*$", "", node.name().rpartition("::")[2]).lstrip("_")


def rectifies(node: Node) -> bool:
    """Whether an activation is a rectifier: 0 below 0, or below its threshold (a ReLU6 is a Hardtanh)."""
    low, _ = bounds(node)
    return kind(node) in ("Relu", "Threshold") or (isinstance(low, (int, float)) and low == 0)


def bounds(node: Node) -> tuple[Any, Any]:
    """The bounds that an operation clips to: numbers, tensors, or None where there is none."""
    low, high = (saved(node, name) if name else None for name in BOUNDS.get(kind(node), ("", "")))
    return low, high


def saved(node: Node, name: str) -> Any:
    """What autograd has saved for an operation by this name: a tensor, a number …; None if there is nothing.

    None also where it can no longer be read, because it was changed in place since.
    """
    try:
        return getattr(node, f"_saved_{name}", None)
    except RuntimeError:
        return None


def _linear(node: Node) -> bool:
    name = kind(node)
    if name in BATCH_NORMALISATIONS:
        return not getattr(node, "_saved_training", True)
    if isinstance(node, BackwardCFunction) or name not in LINEAR or (name == "Mul" and _has_mask_factor(node)):
        return False
    return name not in FACTORS or not all(_depends_on_picture(node, argument) for argument in FACTORS[name])


def _depends_on_picture(node: Node, argument: int) -> bool:
    """Whether an argument depends on the picture. Parameters are frozen, so autograd tracks nothing else."""
    return argument < len(node.next_functions) and node.next_functions[argument][0] is not None


def walk(root: Node) -> list[Node]:
    """Every operation between `root` and the picture."""
    nodes: dict[Node, None] = {root: None}
    stack = [root]
    while stack:
        for child, _ in stack.pop().next_functions:
            if child is not None and child not in nodes:
                nodes[child] = None
                stack.append(child)
    return list(nodes)


def cuts(logits: Tensor) -> set[Value]:
    """The values that every path from the logits to the picture passes through: without one, there is no gradient.

    The values are visited in topological order. One is such a cut if, when it is visited, all edges that were followed
    so far but not yet reached their end lead to it.
    """
    assert logits.grad_fn is not None
    start: Value = (logits.grad_fn, logits.output_nr)
    incoming: Counter[Value] = Counter()  # edges into each value
    seen, stack = {start}, [start]
    while stack:
        for child in _branches(stack.pop()[0]):
            incoming[child] += 1
            if child not in seen:
                seen.add(child)
                stack.append(child)
    found: set[Value] = set()
    unvisited, ready, open_edges = incoming.copy(), [start], 0
    while ready:
        value = ready.pop()
        if open_edges == incoming[value]:
            found.add(value)
        children = _branches(value[0])
        open_edges += len(children) - incoming[value]
        for child in children:
            unvisited[child] -= 1
            if not unvisited[child]:
                ready.append(child)
    return found


def reaches_picture(logits: Tensor, without: Iterable[Value]) -> bool:
    """Whether there is a path from the logits to the picture that passes through none of these values."""
    assert logits.grad_fn is not None
    seen, stack = set(without), [(logits.grad_fn, logits.output_nr)]
    while stack:
        branches = _branches(stack.pop()[0])
        if not branches:
            return True
        new = [value for value in branches if value not in seen]
        seen.update(new)
        stack += new
    return False


def _users(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    users: dict[Node, list[Node]] = {}
    for node in nodes:
        for child, _ in node.next_functions:
            if child is not None:
                users.setdefault(child, []).append(node)
    return users


def _is_gate(node: Node, users: dict[Node, list[Node]]) -> bool:
    """Whether a value is only used as a factor, maybe after shape or affine changes: then it is a gate.

    «Only», because an activation before squeeze-and-excitation is a factor too, but it is also the input of the
    squeeze.
    """

    def multiplies(user: Node) -> bool:
        several = len(_branches(user)) > 1
        if kind(user) in ("Mul", "Addcmul") and several:
            return True
        return kind(user) in SHAPE_AND_AFFINE and not several and _is_gate(user, users)

    return node in users and all(multiplies(user) for user in users[node])


def _branches(node: Node) -> list[tuple[Node, int]]:
    return [(child, index) for child, index in node.next_functions if child is not None]


def _is_self_gated(product: Node) -> bool:
    """Whether a product is x · gate(x) with the same x, as in hand-written SiLU, Hardswish and Mish; or x · x."""
    factors = _branches(product)
    if len(factors) != 2:
        return False
    (first, sources_of_first), (second, sources_of_second) = (_origins(factor) for factor in factors)
    return bool(first & (second | sources_of_second) or second & sources_of_first)


def _origins(value: Value) -> tuple[set[Value], set[Value]]:
    """The values that equal this one except for shape and affine changes, and the values it is a pointwise function
    of."""
    same: set[Value] = {value}
    sources: set[Value] = set()
    pointwise = False
    while len(branches := _branches(value[0])) == 1:
        name = kind(value[0])
        if not (name in POINTWISE or name in SHAPE_AND_AFFINE):
            break
        pointwise = pointwise or name not in SHAPE_AND_AFFINE
        value = branches[0]
        (sources if pointwise else same).add(value)
    return same, sources


def _clamp_of_relu(node: Node, users: dict[Node, list[Node]]) -> Node | None:
    """The clamp in x − x.clamp(max=0), which is a ReLU; None for any other operation."""
    if kind(node) != "Sub" or saved(node, "alpha") != 1 or len(terms := _branches(node)) != 2:
        return None
    value, (clamp, _) = terms
    is_clamp = kind(clamp) in ("Clamp", "ClampMax") and bounds(clamp) == (None, 0) and users[clamp] == [node]
    return clamp if is_clamp and _branches(clamp) == [value] else None


def _is_self_sum(total: Node) -> bool:
    """Whether a sum is one of x and an activation of it, as in x − min(x, 0), or of two activations of it, as in
    relu(x) − relu(x − 6). A rule at one of the parts is not the rule of the whole."""
    terms = _branches(total)
    if len(terms) != 2:
        return False
    (first, sources_of_first), (second, sources_of_second) = (_origins(term) for term in terms)
    return bool(first & sources_of_second or second & sources_of_first or sources_of_first & sources_of_second)


def _selects_from_join(selection: Node) -> bool:
    """Whether a maximum or the like is taken of a constant and values, as in max(x, 0), or of several forms of x."""
    node = selection
    while len(branches := _branches(node)) == 1 and kind(node) not in JOINS:
        node = branches[0][0]
        if kind(node) not in (*SHAPE_AND_AFFINE, *JOINS):
            return False
    if kind(node) not in JOINS:
        return False
    parts = _branches(node)
    if kind(node) == "ConstantPadNd" or len(parts) < len(node.next_functions):
        return True
    origins = [same | sources for same, sources in map(_origins, parts)]
    return any(one & other for k, one in enumerate(origins) for other in origins[:k])


def _is_hard_sigmoid(node: Node, users: dict[Node, list[Node]]) -> bool:
    """Whether a clipped value is scaled to [0, 1] right after, as in relu6(x + 3) / 6."""
    low, high = bounds(node)
    if low != 0 or not isinstance(high, (int, float)) or high <= 0:
        return False
    scale = 1.0
    while scale * high != 1 and len(following := users.get(node, [])) == 1:
        node = following[0]
        factor = saved(node, "other")
        if isinstance(factor, Tensor) and factor.numel() == 1:
            factor = float(factor)
        if kind(node) in ("Mul", "Div") and isinstance(factor, (int, float)) and factor:
            scale = scale * factor if kind(node) == "Mul" else scale / factor
        elif kind(node) not in SHAPE_AND_AFFINE or len(_branches(node)) != 1:
            return False
        if abs(scale * high - 1) < 1e-6:
            return True
    return scale * high == 1


def _has_mask_factor(product: Node) -> bool:
    """Whether a factor is a constant, not a parameter, with one value for each value of the other factor.

    That happens in x · (x > 0), a hand-written ReLU: autograd sees no nonlinearity there.
    """
    if len(_branches(product)) != 1:
        return False
    factor = saved(product, "other" if product.next_functions[0][0] is not None else "self")
    metadata: Any = product
    shape = metadata._input_metadata[0].shape
    return (
        isinstance(factor, Tensor)  # a number scales all values alike
        and not isinstance(factor, nn.Parameter)
        and factor.numel() > 1
        and factor.ndim == len(shape)
        and list(factor.shape[1:]) == list(shape[1:])
    )


def follows_reduction(node: Node) -> bool:
    """Whether the value comes from a sum, mean, variance or norm, as in x / max(‖x‖, ε)."""
    while len(branches := _branches(node)) == 1:
        node = branches[0][0]
        if kind(node) in REDUCTIONS:
            return True
        if kind(node) not in (*SHAPE_AND_AFFINE, *ROOTS, "Clamp", "ClampMin"):
            return False
    return False
