"""Modified backward rules, put on the autograd graph of one pass; the model is never touched.

A walk over the graph from the logits meets every operation on the way, whether it came from a module, a functional,
an in-place call or scripted code. So nothing is missed, and what is not known is refused by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node

from ..errors import Refused
from ..zoo.classifier import Classifier
from .layers import Layer, find_layers

# Names of autograd nodes without their suffix; relu6 is a Hardtanh, selu an Elu, clamp(min=0) a ClampMin.
GUIDED = frozenset(
    (
        "Relu Hardtanh Threshold Clamp ClampMin LeakyRelu Prelu PreluKernel RreluWithNoise Elu Celu Silu Mish Gelu "
        "Hardswish Softplus"
    ).split()
)
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
ATTENTION = re.compile("ScaledDotProduct.*Attention.*")
ROOTS = frozenset(("Sqrt Rsqrt").split())  # part of a normalisation where they follow a reduction
REDUCTIONS = frozenset(("Sum Mean Var VarMean Std StdMean LinalgVectorNorm Norm").split())
PASSES_ON = frozenset(
    (
        "Div Mul Add Sub Rsub Neg Expand View UnsafeView ReshapeAlias Unsqueeze Squeeze Clone Alias ToCopy "
        "UpsampleNearest2D UpsampleBilinear2D"
    ).split()
)

Value = tuple[Node, int]  # an output of a node


@dataclass
class Nonlinearities:
    """The pointwise nonlinearities on the way from the picture to the logits."""

    guided: list[Node] = field(default_factory=list)
    gates: list[Node] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Census:
    """What one probing pass tells of a classifier: layers that hold feature maps, and its nonlinearities by number."""

    layers: list[Layer]
    guided: int
    gates: int
    unknown: dict[str, int]


def take_census(classifier: Classifier) -> Census:
    """Run one grey picture through the classifier and look."""
    probe = torch.full((1, 3, *classifier.size), 0.5, device=classifier.device, dtype=classifier.dtype)
    with torch.enable_grad():
        found = survey(classifier(probe.clone().requires_grad_()))
    layers = find_layers(classifier, probe)
    return Census(layers, len(found.guided), len(found.gates), dict(found.unknown))


def survey(logits: Tensor) -> Nonlinearities:
    """Sort every operation between the picture and the logits into guided, gate, left alone, unknown."""
    found = Nonlinearities()
    if logits.grad_fn is None:
        return found
    nodes = _walk(logits.grad_fn)
    users = _users(nodes)
    for node in nodes:
        name = _name(node)
        if isinstance(node, BackwardCFunction):
            found.unknown[f"{name} (an autograd function of the model's own)"] += 1
        elif name == "Mul" and _gates_itself(node):
            found.unknown["an activation written by hand as x · gate(x)"] += 1
        elif name == "Mul" and _masks(node):
            found.unknown["a multiplication by a mask, perhaps an activation written by hand"] += 1
        elif name in (*ROOTS, "Clamp", "ClampMin") and _follows_reduction(node):
            pass  # the norm that something is divided by
        elif name in GUIDED:
            found.guided.append(node)
        elif name in GATES:
            if _multiplies(node, users):
                found.gates.append(node)
            else:
                found.unknown[f"{name.lower()} (as an activation, not as a gate)"] += 1
        elif name == "Glu":
            found.gates.append(node)
        elif not (name in LINEAR or name in NORMALISATIONS or name in SELECTIONS or ATTENTION.fullmatch(name)):
            found.unknown[name.lower()] += 1
    return found


class Guided:
    """Guided backprop's rule: every activation passes back max(0, upstream) times its own derivative.

    Springenberg et al. 2014, arXiv:1412.6806, who give it for ReLU, where the two factors commute. Calling it with
    the logits of a pass hooks that pass's graph; `activations` and `gates` then say how many were met.
    Raises `Refused` where a nonlinearity is neither known as an activation nor as a gate or normalisation.
    """

    activations = 0
    gates = 0

    def __call__(self, logits: Tensor) -> None:
        found = survey(logits)
        refuse_unknown(found.unknown, len(found.guided))
        for node in found.guided:
            node.register_prehook(_positive_part)
        self.activations, self.gates = len(found.guided), len(found.gates)


def refuse_unknown(unknown: Iterable[str], guided: int) -> None:
    """Raise `Refused` where guided backprop would be wrong, or the same as the plain gradient."""
    names = ", ".join(unknown)
    if names:
        raise Refused(
            f"Guided backprop does not know how to guide: {names}. A map that guides only some activations would "
            "look right and be wrong. Take another method."
        )
    if not guided:
        raise Refused("This model has no activation to guide: guided backprop would be the plain gradient.")


def _positive_part(upstream: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    return tuple(None if g is None else g.clamp(min=0) for g in upstream)


def _walk(root: Node) -> list[Node]:
    nodes: dict[Node, None] = {root: None}
    stack = [root]
    while stack:
        for child, _ in stack.pop().next_functions:
            if child is not None and child not in nodes:
                nodes[child] = None
                stack.append(child)
    return list(nodes)


def _name(node: Node) -> str:
    return re.sub(r"Backward\d*$", "", node.name().rpartition("::")[2]).lstrip("_")


def _users(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    users: dict[Node, list[Node]] = {}
    for node in nodes:
        for child, _ in node.next_functions:
            if child is not None:
                users.setdefault(child, []).append(node)
    return users


def _multiplies(node: Node, users: dict[Node, list[Node]]) -> bool:
    """Whether the node's value, but for shape and affine changes, only multiplies something else: then it is a gate.

    Only: an activation followed by squeeze-and-excitation is multiplied too, but it also goes into the squeeze.
    """

    def multiplies(user: Node) -> bool:
        several = len(_branches(user)) > 1
        if _name(user) in ("Mul", "Addcmul") and several:
            return True
        return _name(user) in PASSES_ON and not several and _multiplies(user, users)

    return node in users and all(multiplies(user) for user in users[node])


def _branches(node: Node) -> list[tuple[Node, int]]:
    return [(child, index) for child, index in node.next_functions if child is not None]


def _gates_itself(product: Node) -> bool:
    """x · gate(x) with one and the same x, as SiLU, Hardswish and Mish are written by hand; or x · x. Scaled or not."""
    factors = _branches(product)
    if len(factors) != 2:
        return False
    (one, made_of_one), (other, made_of_other) = (_origins(factor) for factor in factors)
    return bool(one & (other | made_of_other) or other & made_of_one)


def _origins(value: Value) -> tuple[set[Value], set[Value]]:
    """The values that this one is but for shape and affine changes, and those it is a pointwise function of."""
    same: set[Value] = {value}
    sources: set[Value] = set()
    pointwise = False
    while len(branches := _branches(value[0])) == 1:
        name = _name(value[0])
        if not (name in GUIDED or name in GATES or name in PASSES_ON):
            break
        pointwise = pointwise or name not in PASSES_ON
        value = branches[0]
        (sources if pointwise else same).add(value)
    return same, sources


def _masks(product: Node) -> bool:
    """Whether a factor is a constant with a value of its own for each value of the other, but no parameter.

    That is x · (x > 0), a ReLU written by hand: autograd sees no nonlinearity there.
    """
    if len(_branches(product)) != 1:
        return False
    saved: Any = product
    factor = saved._saved_other if product.next_functions[0][0] is not None else saved._saved_self
    shape = saved._input_metadata[0].shape
    return (
        factor is not None
        and not isinstance(factor, nn.Parameter)
        and factor.numel() > 1
        and factor.ndim == len(shape)
        and list(factor.shape[1:]) == list(shape[1:])
    )


def _follows_reduction(node: Node) -> bool:
    """Whether the value comes from a sum, mean, variance or norm, as in x / max(‖x‖, ε)."""
    while len(branches := _branches(node)) == 1:
        node = branches[0][0]
        if _name(node) in REDUCTIONS:
            return True
        if _name(node) not in (*PASSES_ON, *ROOTS, "Clamp", "ClampMin"):
            return False
    return False
