"""The full gradient: S(x) as g ⊙ x plus, for every layer, the gradient at its output times its bias.

A layer's bias is what its output holds beyond its derivative applied to its input, y − J z: the bias of a convolution,
β − γ μ / σ of a batch normalisation, 6 where a ReLU6 is saturated, f(z) − f′(z) z of a SiLU. A rectifier has none.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from .classifier import Classifier
from .counters import counters
from .errors import Refused
from .gradients import finite, gradients_at, retry_adapted
from .score import Score
from .torch_state import clean_state

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm)  # timm's may hold their activation: one layer, with all that is in it
HOMOGENEOUS = (  # f(a z) = a f(z) for a > 0: no bias
    *(nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.Identity, nn.Flatten, nn.Unflatten, nn.Dropout, nn.Dropout2d),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.ZeroPad2d, nn.PixelShuffle),
)
ROUNDING = 1e-6  # of a layer's largest output: a bias below it is rounding


@dataclass(frozen=True)
class BiasGradient:
    """A layer's bias times the gradient at its output, as its output is laid out: for a feature map (1, K, h, w)."""

    layer: str
    values: Tensor


@dataclass(frozen=True)
class FullGradient:
    """S(x) in parts: `input` is g ⊙ x, (1, C, H, W); `rest` the bias of the score as a function of the logits, such as
    of a probability, which lies at no place and no layer."""

    score: float
    input: Tensor
    biases: list[BiasGradient]
    rest: float

    @property
    def sums(self) -> list[float]:
        """The sum of each part; together they are S(x), if no bias is missing."""
        parts = (self.input, *(bias.values for bias in self.biases))
        return [*(float(part.double().sum()) for part in parts), self.rest]


@dataclass
class _Call:
    """A call of a layer: its output on the graph, and its bias, which broadcasts against it."""

    layer: str
    output: Tensor
    bias: Tensor


def full_gradient(classifier: Classifier, picture: Tensor, score: Score) -> FullGradient:
    """The parts of S for one picture, (C, H, W), by one forward and one backward pass.

    The first bias is that of the normalisation of pixel values, −μ / σ, which is a layer of the network too. Raises
    `Refused` where there is no gradient, or where a layer's own derivative cannot be taken.
    """
    with clean_state():
        found = retry_adapted(classifier, lambda: _one_pass(classifier, picture[None], score))
    counters.add(1)
    return found


def _one_pass(classifier: Classifier, pictures: Tensor, score: Score) -> FullGradient:
    x = classifier.to_memory_format(pictures.detach()).clone().requires_grad_()
    with _recorded(classifier.network) as calls:
        logits = classifier(x)
    if not logits.requires_grad:
        raise Refused("The logits do not depend on the picture by differentiable steps: there is no gradient.")
    calls = [call for call in calls if call.output.requires_grad]
    total = score(logits).sum()
    slope, *slopes = gradients_at([x, *(call.output for call in calls)], total, classifier)
    if slope is None:
        raise Refused("The score's gradient does not reach the picture: an operation on the way has no derivative.")
    biases = [BiasGradient("", -finite(slope) * classifier.mean)]  # S by the normalised picture is σ g; its bias −μ / σ
    for call, gradient in zip(calls, slopes, strict=True):
        if gradient is not None:
            biases.append(BiasGradient(call.layer, finite(gradient * call.bias).detach()))
    return FullGradient(float(total.detach()), (slope * pictures).detach(), biases, _rest(score, logits))


def _rest(score: Score, logits: Tensor) -> float:
    """S − ∂S/∂y · y of the score as a function of the logits y; 0 where it is one of them."""
    at = logits.detach().double().requires_grad_()
    value = score(at).sum()
    (slope,) = torch.autograd.grad(value, at)
    return float((value - (slope * at).sum()).detach())


@contextmanager
def _recorded(network: nn.Module) -> Iterator[list[_Call]]:
    """A context that records every call of a layer with a bias. The pass goes on with a clone of the output, so that
    what is done to it in place changes no recording."""
    calls: list[_Call] = []
    with ExitStack() as hooks:
        for name, module in _layers(network):
            inputs: list[tuple[object, ...]] = []

            def before(module: nn.Module, given: tuple[object, ...], inputs: list[tuple[object, ...]] = inputs) -> None:
                inputs.append(tuple(one.detach().clone() if isinstance(one, Tensor) else one for one in given))

            def after(
                module: nn.Module,
                given: object,
                output: object,
                name: str = name,
                inputs: list[tuple[object, ...]] = inputs,
            ) -> Tensor | None:
                own = inputs.pop() if inputs else ()
                if not isinstance(output, Tensor) or not output.is_floating_point():
                    return None
                bias = _bias_of(module, own, output.detach())
                if bias is None or not bool(bias.abs().max() > ROUNDING * output.detach().abs().max()):
                    return None
                calls.append(_Call(name, output, bias))
                return output.clone()

            if _needs_input(module):
                hooks.callback(module.register_forward_pre_hook(before).remove)
            hooks.callback(module.register_forward_hook(after).remove)
        yield calls


def _layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that are layers, each once: those without children, and normalisations with all that is in them."""
    inner: set[nn.Module] = set()
    for name, module in network.named_modules():
        is_norm = isinstance(module, NORMS)
        if module not in inner and not isinstance(module, HOMOGENEOUS) and (is_norm or not any(module.children())):
            yield name, module
        if is_norm:
            inner.update(part for part in module.modules() if part is not module)


def _needs_input(module: nn.Module) -> bool:
    return not isinstance(module, (_ConvNd, nn.Linear)) and type(module) not in (nn.BatchNorm2d, nn.BatchNorm1d)


def _bias_of(module: nn.Module, inputs: tuple[object, ...], output: Tensor) -> Tensor | None:
    """y − J z of a layer, broadcasting against its output y; None where it has none."""
    if isinstance(module, nn.Linear):
        return module.bias
    if isinstance(module, _ConvNd):
        return None if module.bias is None else _by_channel(module.bias, output)
    if not _needs_input(module):
        norm = cast(nn.BatchNorm2d, module)
        if norm.running_mean is not None and norm.running_var is not None:
            scale = (norm.running_var + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
            shift = 0 if norm.bias is None else norm.bias
            return _by_channel((shift - norm.running_mean * scale).detach(), output)
        return None  # by the picture's own statistics: what is missing shows in the sum
    return None if not inputs else output - _derivative(module.forward, inputs)


def _by_channel(values: Tensor, output: Tensor) -> Tensor:
    """A value for each channel, for an output (N, K, …)."""
    return values.view(-1, *(1 for _ in output.shape[2:])) if output.dim() > 1 else values


def _derivative(function: Callable[..., object], inputs: tuple[object, ...]) -> Tensor:
    """J z: the derivative of a layer at its inputs, applied to the inputs themselves; by forward differentiation."""
    # PyTorch's own: it scripts some formulas when they are first used. Not undone, as filters belong to all threads.
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated")
    with torch.no_grad(), forward_ad.dual_level():
        duals = [
            forward_ad.make_dual(one, one.clone())  # type: ignore[no-untyped-call]
            if isinstance(one, Tensor) and one.is_floating_point()
            else one
            for one in inputs
        ]
        output = function(*duals)
        assert isinstance(output, Tensor)
        primal, tangent = forward_ad.unpack_dual(output)  # type: ignore[no-untyped-call]
        return torch.zeros_like(primal) if tangent is None else tangent.clone()
