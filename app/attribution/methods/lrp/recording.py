"""One forward pass in which every operation gets its rule of relevance; the network is not changed.

Calls of PyTorch's functions are intercepted, whether a module makes them or the network's own code. What is left to
autograd must be known to pass relevance on rightly: `unknown` looks for anything else in the graph, so that nothing is
passed over in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.overrides import TorchFunctionMode

from ...autograd_graph import kind, walk
from .layers import Layer, RuleSet
from .passing import InProportion, LayerRelevance, Same

Call = Callable[..., Any]

LAYERS = frozenset("conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear".split())
ACTIVATIONS = frozenset(
    (
        "relu relu_ relu6 hardtanh hardtanh_ threshold threshold_ clamp clamp_ clip clip_ clamp_min clamp_min_ "
        "leaky_relu leaky_relu_ prelu rrelu rrelu_ elu elu_ selu selu_ celu celu_ silu silu_ mish mish_ gelu hardswish "
        "hardswish_ tanh tanh_ softplus"
    ).split()
)
# Factors that only scale others. Of two candidates the higher one is the gate: an activation before
# squeeze-and-excitation is bounded too.
GATES = {
    **dict.fromkeys("sigmoid sigmoid_ hardsigmoid softmax".split(), 2),
    **dict.fromkeys("relu6 hardtanh hardtanh_ clamp clamp_ clip clip_ tanh tanh_".split(), 1),
}
PRODUCTS = frozenset("mul mul_ multiply multiply_ __mul__ __rmul__ __imul__".split())
# With constants they scale and shift single values.
ARITHMETIC = PRODUCTS | frozenset(
    (
        "add add_ __add__ __radd__ __iadd__ sub sub_ subtract __sub__ __rsub__ __isub__ rsub neg __neg__ div div_ "
        "divide true_divide __truediv__ __itruediv__"
    ).split()
)
SUMS = frozenset(
    (
        "add add_ __add__ __radd__ __iadd__ sub sub_ subtract __sub__ __rsub__ __isub__ sum mean avg_pool1d avg_pool2d "
        "avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d interpolate upsample"
    ).split()
)
# Shape, order and copies: each value of the output is one of the input's.
ARRANGEMENTS = frozenset(
    (
        "__get__ view view_as reshape flatten unflatten squeeze unsqueeze permute transpose movedim t contiguous clone "
        "to type float double type_as pad __getitem__ select narrow chunk split unbind cat concat concatenate stack "
        "flip roll expand expand_as repeat pixel_unshuffle pixel_shuffle channel_shuffle"
    ).split()
)
# What autograd may pass relevance through: the backward pass of arrangements gives each value back what it got, that of
# a maximum the value that was the largest.
RIGHT_IN_AUTOGRAD = frozenset(
    (
        "View UnsafeView ReshapeAlias UnsafeReshape Permute Transpose T Movedim Expand Squeeze Unsqueeze Slice Select "
        "Index IndexSelect Gather Narrow Cat Stack Split SplitWithSizes UnsafeSplit Unbind Clone Alias ToCopy Copy "
        "CopyBackwards Contiguous Flip Roll Repeat ConstantPadNd ReflectionPad2D ReplicationPad2D PixelShuffle "
        "PixelUnshuffle AccumulateGrad MaxPool2DWithIndices MaxPool3DWithIndices AdaptiveMaxPool2D Amax"
    ).split()
)
PLACE = object()  # stands for a tensor in the arguments of a call


@dataclass(frozen=True)
class Bounds:
    """The lowest and highest values that a tensor of the picture's values can have, each of its shape."""

    tensor: Tensor  # kept, so that its id stays its own
    lowest: Tensor
    highest: Tensor


@dataclass(frozen=True)
class Mergeable:
    """A layer's output. As long as nothing has changed it or the layer's input, a batch normalisation of it can become
    part of the layer."""

    output: Tensor
    source: Tensor
    layer: Layer
    versions: tuple[int, int]

    @property
    def unchanged(self) -> bool:
        return self.versions == (self.output._version, self.source._version)


@dataclass(frozen=True)
class Padding:
    """Zeros around `source`, as `call` puts them there."""

    output: Tensor
    source: Tensor
    call: Callable[[Tensor], Tensor]
    versions: tuple[int, int]

    @property
    def unchanged(self) -> bool:
        return self.versions == (self.output._version, self.source._version)


class Recording(TorchFunctionMode):
    """A context for one forward pass. The graph of its logits then passes relevance back instead of gradients.

    A gradient that is S instead of 1 at S then gives the relevance of the pictures' values.
    """

    def __init__(self, rules: RuleSet, share_rest: bool) -> None:
        super().__init__()
        self._rules, self._share_rest = rules, share_rest
        self._of_picture: dict[int, Bounds] = {}
        self._mergeable: dict[int, Mergeable] = {}
        self._padded: dict[int, Padding] = {}
        self._gates: dict[int, tuple[Tensor, int]] = {}
        self._found: Counter[str] = Counter()
        self.layers = 0

    def __torch_function__(
        self, func: Call, types: object, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        moving = [tensor for tensor in _tensors((*args, *kwargs.values())) if tensor.requires_grad]
        if not moving or not torch.is_grad_enabled():
            return func(*args, **kwargs)
        for tensor in moving:
            if tensor.is_leaf and id(tensor) not in self._of_picture:  # no parameter takes a gradient
                self._remember(tensor, torch.zeros_like(tensor), torch.ones_like(tensor))
        name = getattr(func, "__name__", "")
        if name.endswith("_as"):
            moving = moving[:1]  # of the other argument it takes the shape alone
        result = self._call(func, name, args, kwargs, moving)
        self._mark_gate(name, result, moving)
        return result

    def _call(self, func: Call, name: str, args: Sequence[Any], kwargs: dict[str, Any], moving: list[Tensor]) -> Any:
        if name in LAYERS:
            return self._weighted(func, name, args, kwargs)
        if name in ARRANGEMENTS:
            result = self._arranged(func, args, kwargs, moving)
            if name == "pad" and _pads_zeros(*args, **kwargs):
                x = moving[0]
                call = partial(_padded_like, func, args[1:], {key: kwargs[key] for key in kwargs if key != "input"})
                self._padded[id(result)] = Padding(result, x, call, (result._version, x._version))
            return result
        if name == "batch_norm":
            return self._batch_norm(func, args, kwargs)
        if name in ACTIVATIONS and len(moving) == 1:
            return self._single(func, name, args, kwargs, moving[0])
        if name in PRODUCTS and len(moving) == 2:
            gate = self._gate_of(moving)
            return func(*args, **kwargs) if gate is None else self._gated(func, name, args, kwargs, gate)
        if name in ARITHMETIC and len(moving) == 1:
            return self._single(func, name, args, kwargs, moving[0])
        return self._in_proportion(func, name, args, kwargs) if name in SUMS else func(*args, **kwargs)

    def _weighted(self, func: Call, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """A convolution or a matrix product: a layer, by its rule."""
        given = dict(zip(("input", "weight", "bias"), args, strict=False)) | {
            key: kwargs.pop(key) for key in ("input", "weight", "bias") if key in kwargs
        }
        x, weight, bias, rest = given["input"], given["weight"], given.get("bias"), args[3:]
        pad = self._padding_of(x)
        x = x if pad is None else pad.source
        if weight.requires_grad or not x.requires_grad or (bias is not None and bias.requires_grad):
            self._found[f"{name} (its weights depend on the picture)"] += 1
            return func(given["input"], weight, bias, *rest, **kwargs)
        bounds = self._of_picture.get(id(x))
        layer = Layer(
            lambda values, weights: func(pad.call(values) if pad else values, weights, None, *rest, **kwargs),
            x.detach().clone(),  # the network may change it in place later
            weight.detach(),
            None if bias is None else bias.detach(),
            dense=name == "linear",
            lowest=bounds.lowest if bounds else None,
            highest=bounds.highest if bounds else None,
        )
        self.layers += 1
        output = self._layer(x, layer)
        if "transpose" not in name:
            self._mergeable[id(output)] = Mergeable(output, x, layer, (output._version, x._version))
        return output

    def _padding_of(self, x: Tensor) -> Padding | None:
        """The margin of zeros around x; a layer has to know it, or relevance would be lost to it."""
        padding = self._padded.get(id(x))
        return padding if padding is not None and padding.unchanged else None

    def _layer(self, x: Tensor, layer: Layer) -> Tensor:
        made: Tensor = LayerRelevance.apply(x, layer, self._rules.of(layer), self._share_rest)
        return made

    def _batch_norm(self, func: Call, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """By stored statistics it scales and shifts: part of the layer before it, if there is one."""
        names = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        given: dict[str, Any] = {"weight": None, "bias": None, "training": False, "eps": 1e-5}
        given |= dict(zip(names, args, strict=False)) | kwargs
        if given["training"] or given["running_mean"] is None:
            return func(*args, **kwargs)
        x: Tensor = given["input"]
        before = self._mergeable.get(id(x))
        if before is None or not before.unchanged:
            return self._single(func, "batch_norm", args, kwargs, x)
        scale = (given["running_var"] + given["eps"]).rsqrt()
        scale = scale if given["weight"] is None else scale * given["weight"]
        layer = before.layer
        bias = (0 if layer.bias is None else layer.bias) - given["running_mean"]
        bias = bias * scale if given["bias"] is None else bias * scale + given["bias"]
        weight = layer.weight * scale.view(-1, *[1] * (layer.weight.ndim - 1))
        return self._layer(before.source, replace(layer, weight=weight.detach(), bias=bias.detach()))

    def _single(self, func: Call, name: str, args: Any, kwargs: dict[str, Any], x: Tensor) -> Any:
        """A function of the single values of x, with constants: it passes relevance on as it is."""
        result = _computed(func, args, kwargs)
        if result.shape != x.shape:  # x is used several times
            return self._in_proportion(func, name, args, kwargs) if name in ARITHMETIC else func(*args, **kwargs)
        output: Tensor = Same.apply(x, result)
        if id(x) in self._of_picture and (name in ARITHMETIC or name == "batch_norm"):
            ends = [_computed(func, *self._at_bounds((args, kwargs), end)) for end in ("lowest", "highest")]
            self._remember(output, torch.minimum(*ends), torch.maximum(*ends))
        return self._written(name, args, kwargs, output)

    def _gated(self, func: Call, name: str, args: Any, kwargs: dict[str, Any], gate: Tensor) -> Any:
        """A product of values and their gate: all relevance is that of the values."""
        args, kwargs = _mapped((args, kwargs), lambda tensor: tensor.detach() if tensor is gate else tensor)
        (x,) = (tensor for tensor in _tensors((*args, *kwargs.values())) if tensor.requires_grad)
        return self._single(func, name, args, kwargs, x)

    def _in_proportion(self, func: Call, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
        moving = [tensor for tensor in _tensors((*args, *kwargs.values())) if tensor.requires_grad]
        # without the tensors themselves: one that is written to later would hold the graph that holds it
        constants = _mapped((args, kwargs), lambda tensor: PLACE if tensor.requires_grad else tensor.detach())

        def call(*values: Tensor) -> Any:
            left = iter(values)
            with_values, named = _mapped(constants, lambda part: next(left) if part is PLACE else part)
            return func(*with_values, **named)

        result = _computed(func, args, kwargs)
        output: Tensor = InProportion.apply(call, result, self._share_rest, *moving)
        return self._written(name, args, kwargs, output)

    def _written(self, name: str, args: Sequence[Any], kwargs: dict[str, Any], output: Tensor) -> Tensor:
        """The output; if the call works in place, it is written to the input, as later readers expect."""
        dunder = name.startswith("__i")
        in_place = name.endswith("_") and not name.endswith("__")
        if dunder or in_place or kwargs.get("inplace") or (name in ACTIVATIONS and any(a is True for a in args[1:])):
            target: Tensor = args[0] if args else kwargs["input"]
            self._of_picture.pop(id(target), None)
            return target.copy_(output)
        return output

    def _arranged(self, func: Call, args: Any, kwargs: dict[str, Any], moving: list[Tensor]) -> Any:
        """Values in another order or shape: autograd is right. The picture is still the picture."""
        result = func(*args, **kwargs)
        outputs = [output for output in _tensors([result]) if output.requires_grad]
        if outputs and all(id(tensor) in self._of_picture for tensor in moving):
            ends = []
            for end in ("lowest", "highest"):
                bound_args, bound_kwargs = self._at_bounds((args, kwargs), end)
                ends.append(list(_tensors([func(*bound_args, **bound_kwargs)])))
            for output, lowest, highest in zip(outputs, *ends, strict=True):
                self._remember(output, lowest, highest)
        return result

    def _at_bounds(self, call: tuple[Any, Any], end: str) -> Any:
        """Arguments with the picture's bounds in the place of the picture."""

        def bound(tensor: Tensor) -> Tensor:
            bounds = self._of_picture.get(id(tensor))
            found: Tensor = tensor.detach() if bounds is None else getattr(bounds, end)
            return found

        return _mapped(call, bound)

    def _remember(self, tensor: Tensor, lowest: Tensor, highest: Tensor) -> None:
        self._of_picture[id(tensor)] = Bounds(tensor, lowest.detach(), highest.detach())

    def _mark_gate(self, name: str, result: Any, moving: list[Tensor]) -> None:
        """Note that a result is a gate, or one that was only scaled, shifted or put into another shape."""
        rank = GATES.get(name, 0)
        if name in ARRANGEMENTS or name in ARITHMETIC:
            rank = min(self._gates.get(id(tensor), (tensor, 0))[1] for tensor in moving)
        for tensor in _tensors([result]) if rank else ():
            self._gates[id(tensor)] = tensor, rank

    def _gate_of(self, factors: list[Tensor]) -> Tensor | None:
        """Which of two factors is the gate of the other; None where that is not clear."""
        one, other = (self._gates.get(id(value), (value, 0))[1] for value in factors)
        return factors[one < other] if one != other else None

    def unknown(self, logits: Tensor) -> Counter[str]:
        """What has no rule between the picture and the logits of this pass."""
        found = self._found.copy()
        for node in walk(logits.grad_fn) if logits.grad_fn is not None else ():
            if isinstance(node, BackwardCFunction):
                ours = getattr(type(node), "_forward_cls", None) in (LayerRelevance, Same, InProportion)
            else:
                ours = kind(node) in RIGHT_IN_AUTOGRAD
            if not ours:
                found[kind(node).lower()] += 1
        return found


def _pads_zeros(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> bool:
    return mode == "constant" and not value


def _padded_like(func: Call, args: Any, kwargs: dict[str, Any], values: Tensor) -> Tensor:
    padded: Tensor = func(values, *args, **kwargs)
    return padded


def _computed(func: Call, args: Any, kwargs: dict[str, Any]) -> Tensor:
    """What a call gives, without a graph and without changing its arguments."""
    with torch.no_grad():
        copies, named = _mapped((args, kwargs), lambda tensor: tensor.detach().clone())
        result: Tensor = func(*copies, **named)
        return result.detach()


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """`value` with each of its tensors, and each `PLACE`, changed."""
    if isinstance(value, Tensor) or value is PLACE:
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(part, change) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_mapped(part, change) for part in value)
    return value
