"""Translations of ATen's arithmetic, reductions, activations and normalisations, and their derivatives, to OpenVINO."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .runtime import op
from .tape import Unsupported
from .translation import Translator, channelwise, integers, is_broadcast, node, read_in_place, shape_of, translates

SOFTPLUS_THRESHOLD = 20  # PyTorch's default
# A product of a few rows with a weight takes about as long as reading it, packed or not (vgg16: 3 % longer). It is
# read in place where it is large.
FEW_ROWS, LARGE_WEIGHT = 8, 2**20  # rows, values


def _binary(make: Callable[[Any, Any], Any]) -> Translator:
    """The translation of an operation on two operands, either of which may be a number."""

    def translate(a: Any, b: Any, alpha: float = 1) -> Any:
        if isinstance(b, (int, float)) and is_broadcast(a):  # before the values are repeated, not after
            return op.broadcast(translate(a.get_node().input_value(0), b, alpha), integers(shape_of(a)))
        return make(node(a), node(b) if alpha == 1 else op.multiply(node(b), node(alpha)))

    return translate


for _name, _make in {"add": op.add, "sub": op.subtract, "mul": op.multiply, "div": op.divide}.items():
    _names = (f"{_name}{in_place}.{kind}" for in_place in ("", "_") for kind in ("Tensor", "Scalar"))
    translates(*_names)(_binary(_make))


@translates("rsub.Scalar", "rsub.Tensor")
def rsub(a: Any, b: Any, alpha: float = 1) -> Any:
    return op.subtract(node(b), a if alpha == 1 else op.multiply(a, node(alpha)))


@translates("neg.default")
def neg(x: Any) -> Any:
    return op.negative(x)


@translates("mean.dim")
def mean(x: Any, axes: Any, keepdim: bool = False, **_: Any) -> Any:
    return op.reduce_mean(x, integers(axes), keepdim)


@translates("sum.dim_IntList")
def total(x: Any, axes: Any, keepdim: bool = False, **_: Any) -> Any:
    return op.reduce_sum(x, integers(axes), keepdim)


@translates("mm.default", "bmm.default")
def mm(a: Any, b: Any) -> Any:
    if isinstance(b, Tensor) and b.ndim == 2:
        turned = not b.is_contiguous() and b.t().is_contiguous()
        if not isinstance(a, Tensor) and (turned or b.is_contiguous()) and _in_place_is_as_quick(a, b):
            if turned:
                made = op.matmul(a, read_in_place(b.t()), False, True)
            else:
                # a b as (bᵀ aᵀ)ᵀ: OpenVINO multiplies a weight by columns more quickly than rows by a weight
                made = op.transpose(op.matmul(read_in_place(b), a, True, True), integers([1, 0]))
            return op.reshape(made, integers([shape_of(a)[0], b.shape[1]]), False)
        if turned:
            return op.matmul(node(a), node(b.t()), False, True)
    return op.matmul(node(a), node(b), False, False)


def _in_place_is_as_quick(rows: Any, weight: Tensor) -> bool:
    return shape_of(rows)[0] <= FEW_ROWS and weight.numel() >= LARGE_WEIGHT and weight.dtype == torch.float32


@translates("addmm.default")
def addmm(bias: Any, a: Any, b: Any) -> Any:
    return op.add(mm(a, b), node(bias))


# The safe one gives zeros where a row is −∞ only. Here it gives NaN, and a trial refuses a backend that does.
@translates("_softmax.default", "_safe_softmax.default")
def softmax(x: Any, axis: int, half_to_float: bool = False) -> Any:
    return op.softmax(x, axis % len(shape_of(x)))


@translates("_softmax_backward_data.default")
def softmax_backward(g: Any, y: Any, axis: int, dtype: Any) -> Any:
    """y (g − Σ g y)"""
    return op.multiply(y, op.subtract(g, op.reduce_sum(op.multiply(g, y), integers([axis]), True)))


@translates("zeros_like.default")
def zeros_like(x: Any, **_: Any) -> Any:
    return node(torch.zeros(shape_of(x)))


@translates("relu.default", "relu_.default")
def relu(x: Any) -> Any:
    return op.relu(x)


@translates("threshold_backward.default")
def threshold_backward(g: Any, x: Any, threshold: float) -> Any:
    return op.select(op.greater(x, node(threshold)), g, node(0.0))


@translates("leaky_relu.default", "leaky_relu_.default")
def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    return op.prelu(x, node(float(slope)))


@translates("leaky_relu_backward.default")
def leaky_relu_backward(g: Any, x: Any, slope: float, self_is_result: bool) -> Any:
    if self_is_result and slope < 0:
        raise Unsupported("leaky ReLU in place with a negative slope")
    return op.select(op.greater(x, node(0.0)), g, op.multiply(g, node(float(slope))))


@translates("tanh.default", "tanh_.default")
def tanh(x: Any) -> Any:
    return op.tanh(x)


@translates("tanh_backward.default")
def tanh_backward(g: Any, y: Any) -> Any:
    return op.multiply(g, op.subtract(node(1.0), op.multiply(y, y)))


@translates("hardtanh.default", "hardtanh_.default")
def hardtanh(x: Any, low: float = -1.0, high: float = 1.0) -> Any:
    return op.clamp(x, float(low), float(high))


@translates("hardtanh_backward.default")
def hardtanh_backward(g: Any, x: Any, low: float, high: float) -> Any:
    return op.select(_between(x, low, high), g, node(0.0))


@translates("sigmoid.default")
def sigmoid(x: Any) -> Any:
    return op.sigmoid(x)


@translates("sigmoid_backward.default")
def sigmoid_backward(g: Any, y: Any) -> Any:
    return op.multiply(g, op.multiply(y, op.subtract(node(1.0), y)))


@translates("silu.default", "silu_.default")
def silu(x: Any) -> Any:
    return op.swish(x)


@translates("silu_backward.default")
def silu_backward(g: Any, x: Any) -> Any:
    s = op.sigmoid(x)
    slope = op.multiply(s, op.add(node(1.0), op.multiply(x, op.subtract(node(1.0), s))))
    return op.multiply(g, slope)


@translates("hardswish.default", "hardswish_.default")
def hardswish(x: Any) -> Any:
    return op.hswish(x)


@translates("hardswish_backward.default")
def hardswish_backward(g: Any, x: Any) -> Any:
    """0 below −3, x/3 + 1/2 up to 3, then 1."""
    slope = op.add(op.multiply(x, node(1 / 3)), node(0.5))
    slope = op.select(op.greater_equal(x, node(3.0)), node(1.0), slope)
    return op.multiply(g, op.select(op.less_equal(x, node(-3.0)), node(0.0), slope))


@translates("hardsigmoid.default", "hardsigmoid_.default")
def hardsigmoid(x: Any) -> Any:
    return op.hsigmoid(x)


@translates("hardsigmoid_backward.default")
def hardsigmoid_backward(g: Any, x: Any) -> Any:
    return op.select(_between(x, -3.0, 3.0), op.multiply(g, node(1 / 6)), node(0.0))


@translates("gelu.default")
def gelu(x: Any, approximate: str = "none") -> Any:
    if approximate != "none":
        raise Unsupported("GELU approximated by tanh")
    return op.gelu(x, "erf")


@translates("gelu_backward.default")
def gelu_backward(g: Any, x: Any, approximate: str = "none") -> Any:
    """Φ(x) + x φ(x)"""
    cumulative = op.multiply(node(0.5), op.add(node(1.0), op.erf(op.multiply(x, node(2**-0.5)))))
    density = op.multiply(op.exp(op.multiply(node(-0.5), op.multiply(x, x))), node((2 * math.pi) ** -0.5))
    return op.multiply(g, op.add(cumulative, op.multiply(x, density)))


@translates("softplus.default")
def softplus(x: Any, beta: float = 1, threshold: float = 20) -> Any:
    # OpenVINO's is smooth everywhere; PyTorch's is x itself beyond the threshold. At 20 that is the same in float32.
    if beta != 1 or threshold < SOFTPLUS_THRESHOLD:
        raise Unsupported("softplus with another beta, or with a threshold below 20")
    return op.softplus(x)


@translates("softplus_backward.default")
def softplus_backward(g: Any, x: Any, beta: float, threshold: float) -> Any:
    return op.multiply(g, op.sigmoid(x))


@translates("native_batch_norm.default")
def batch_norm(x: Any, weight: Any, bias: Any, mean: Any, var: Any, training: bool, momentum: float, eps: float) -> Any:
    scale, shift = _affine(weight, bias, mean, var, training, eps)
    rank = len(shape_of(x))
    return op.add(op.multiply(x, channelwise(scale, rank)), channelwise(shift, rank)), None, None


@translates("native_batch_norm_backward.default")
def batch_norm_backward(g: Any, x: Any, weight: Any, mean: Any, var: Any, *rest: Any) -> Any:
    _saved_mean, _saved_inverse, training, eps, _mask = rest
    scale, _ = _affine(weight, None, mean, var, training, eps)
    return op.multiply(g, channelwise(scale, len(shape_of(x)))), None, None


@translates("native_layer_norm.default")
def layer_norm(x: Any, shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    axes = integers(list(range(-len(shape), 0)))
    mean = op.reduce_mean(x, axes, True)
    centred = op.subtract(x, mean)
    variance = op.reduce_mean(op.multiply(centred, centred), axes, True)
    inverse = op.divide(node(1.0), op.sqrt(op.add(variance, node(eps))))
    y = op.multiply(centred, inverse)
    y = y if weight is None else op.multiply(y, node(weight))
    return (y if bias is None else op.add(y, node(bias))), mean, inverse


@translates("native_layer_norm_backward.default")
def layer_norm_backward(g: Any, x: Any, shape: Any, mean: Any, inverse: Any, weight: Any, *_: Any) -> Any:
    axes = integers(list(range(-len(shape), 0)))
    normalised = op.multiply(op.subtract(x, mean), inverse)
    h = g if weight is None else op.multiply(g, node(weight))
    projection = op.multiply(normalised, op.reduce_mean(op.multiply(h, normalised), axes, True))
    return op.multiply(op.subtract(op.subtract(h, op.reduce_mean(h, axes, True)), projection), inverse), None, None


def _between(x: Any, low: float, high: float) -> Any:
    return op.logical_and(op.greater(x, node(low)), op.less(x, node(high)))


def _affine(
    weight: Any, bias: Any, mean: Tensor, variance: Tensor, training: bool, eps: float
) -> tuple[Tensor, Tensor]:
    """γ/σ and β − μ γ/σ, with the running statistics."""
    if training:
        raise Unsupported("batch normalisation with batch statistics")
    scale = (variance.double() + eps).rsqrt()
    scale = scale if weight is None else scale * weight.double()
    shift = -mean.double() * scale
    shift = shift if bias is None else shift + bias.double()
    return scale.float(), shift.float()
