"""Modified backward rules, put on the autograd graph of one pass; the model is never touched.

A walk over the graph from the logits meets every operation on the way, whether it came from a module, a functional,
an in-place call or scripted code. So nothing is missed, and what is not known is refused by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor
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
        "Softmax LogSoftmax NativeBatchNorm CudnnBatchNorm MiopenBatchNorm BatchNormImpl NativeLayerNorm "
        "NativeGroupNorm FusedRmsNorm LinalgVectorNorm Norm Sqrt Rsqrt Var VarMean Std StdMean"
    ).split()
)
LINEAR = frozenset(
    (
        "Convolution ConvolutionOverrideable CudnnConvolution MkldnnConvolution SlowConv2D ThnnConv2D ConvDepthwise2D "
        "Linear MkldnnLinear Addmm Mm Bmm Baddbmm Addbmm Mv Addmv Dot T Transpose Permute Movedim View UnsafeView "
        "ReshapeAlias UnsafeReshape Expand Squeeze Unsqueeze Slice Select Index IndexSelect Gather Narrow Cat Stack "
        "Split SplitWithSizes UnsafeSplit Unbind Clone Alias AsStrided ToCopy Copy Contiguous Add Sub Rsub Neg Mul Div "
        "Addcmul Addcdiv Lerp Sum Mean Flip Roll Repeat Tile ConstantPadNd ReflectionPad2D ReplicationPad2D "
        "PixelShuffle PixelUnshuffle Im2Col Col2Im UpsampleNearest2D UpsampleNearestExact2D UpsampleBilinear2D "
        "UpsampleBilinear2DAa UpsampleBicubic2D UpsampleBicubic2DAa AvgPool2D AvgPool3D AdaptiveAvgPool1D "
        "AdaptiveAvgPool2D MkldnnAdaptiveAvgPool2D NativeDropout MkldnnReshape ToMkldnn ToDense AccumulateGrad"
    ).split()
)
SELECTIONS = frozenset(
    ("MaxPool2DWithIndices MaxPool3DWithIndices AdaptiveMaxPool2D Max Amax Min Amin Topk Sort").split()
)
ATTENTION = re.compile("ScaledDotProduct.*Attention.*")
PASSES_ON = frozenset(
    ("Div Mul Add Sub Expand View UnsafeView ReshapeAlias Unsqueeze Squeeze Clone Alias ToCopy").split()
)


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
    """Whether the node's value, but for shape and affine changes, multiplies something else: then it is a gate."""
    for user in users.get(node, []):
        branches = [child for child, _ in user.next_functions if child is not None]
        if _name(user) in ("Mul", "Addcmul") and len(branches) > 1:
            return True
        if _name(user) in PASSES_ON and len(branches) == 1 and _multiplies(user, users):
            return True
    return False


def _gates_itself(product: Node) -> bool:
    """x · gate(x) with one and the same x, as SiLU, Hardswish, Mish and GELU are written by hand; or x · x."""
    factors = [factor for factor in product.next_functions if factor[0] is not None]
    if len(factors) != 2:
        return False
    return factors[0] == factors[1] or any(one in _sources(other) for one, other in (factors, factors[::-1]))


def _sources(value: tuple[Node | None, int]) -> set[tuple[Node | None, int]]:
    """What a value was made from by pointwise steps of one argument, itself left out."""
    sources = set()
    pointwise = False
    while value[0] is not None:
        name = _name(value[0])
        inputs = [child for child in value[0].next_functions if child[0] is not None]
        if len(inputs) != 1 or not (name in GUIDED or name in GATES or name in PASSES_ON):
            break
        pointwise = pointwise or name in GUIDED or name in GATES
        value = inputs[0]
        if pointwise:
            sources.add(value)
    return sources
