"""Guided backprop's and deconvolution's rules: against activations that have them as their backward pass, or refused by
name."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods.base import NoParameters
from gradoscope.attribution.methods.deconvolution import Deconvolution
from gradoscope.attribution.methods.guided_backprop import GuidedBackprop
from gradoscope.attribution.score import Score
from torch import Tensor, nn

from tests.support.nets import Tiny, explain, gradient, random_picture, relative, wrap
from tests.support.rule_activations import Activation, DeconvolutionActivation, GuidedActivation


def check_guided(activation: Activation) -> None:
    """The rule on a network with `activation` equals that of activations with the rule, and is not the plain
    gradient."""
    network, x = wrap(Tiny(activation)).double(), random_picture(seed=3).double()
    with_rule = wrap(Tiny(lambda value: GuidedActivation.apply(value, activation))).double()
    actual = explain("guided_backprop", network, x)
    expected = gradient(with_rule, x, lambda y: y[:, 0])
    assert actual.diagnostics["guided_activations"] == 2
    assert actual.diagnostics["gates"] == 0
    assert relative(actual.values, expected) < 1e-12
    assert relative(gradient(network, x, lambda y: y[:, 0]), expected) > 1e-2


def check_refused(activation: Activation, name: str) -> None:
    network = wrap(Tiny(activation))
    with pytest.raises(Refused, match=name):
        GuidedBackprop().check(network, NoParameters())
    with pytest.raises(Refused, match=name):  # not only by the inspection: the pass itself is looked at again
        explain_unchecked(network)


def explain_unchecked(network: nn.Module) -> Tensor:
    steps = GuidedBackprop().attribute(Engine(network, Score(0)), random_picture(), NoParameters(), 0)
    return next(steps).estimate


def relu_in_place_unused(x: Tensor) -> Tensor:
    x.relu_()
    return x


KNOWN: dict[str, Activation] = {
    "relu": F.relu,
    "relu module": nn.ReLU(),
    "relu module in place": nn.ReLU(inplace=True),
    "relu in place": lambda x: F.relu(x, inplace=True),
    "relu_, its return value not used": relu_in_place_unused,
    "relu6": F.relu6,
    "relu6 in place": lambda x: F.relu6(x, inplace=True),
    "clamp from 0": lambda x: x.clamp(min=0),
    "clamp from 0 to 1": lambda x: x.clamp(0, 1),
    "clamp_min in place": lambda x: x.clamp_min_(0),
    "threshold": lambda x: F.threshold(x, 0.1, 0.0),
    "hardtanh": F.hardtanh,
    "leaky_relu": F.leaky_relu,
    "leaky_relu in place": lambda x: F.leaky_relu(x, 0.2, inplace=True),
    "prelu": lambda x: F.prelu(x, x.new_tensor([0.3])),
    "rrelu": F.rrelu,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "silu": F.silu,
    "mish": F.mish,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "hardswish": F.hardswish,
    "hardswish in place": lambda x: F.hardswish(x, inplace=True),
    "softplus": F.softplus,
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_activations_are_guided(name: str) -> None:
    check_guided(KNOWN[name])


RECTIFIERS = [name for name in KNOWN if name.startswith(("relu", "clamp", "threshold"))]


@pytest.mark.parametrize("name", RECTIFIERS)
def test_rectifiers_are_deconvolved(name: str) -> None:
    network, x = wrap(Tiny(KNOWN[name])).double(), random_picture(seed=3).double()
    with_rule = wrap(Tiny(lambda value: DeconvolutionActivation.apply(value, KNOWN[name]))).double()
    actual = explain("deconvolution", network, x)
    expected = gradient(with_rule, x, lambda y: y[:, 0])
    assert actual.diagnostics == {"gradient_evaluations": 1, "guided_activations": 2, "gates": 0}
    assert relative(actual.values, expected) < 1e-12
    for other in ("vanilla_gradient", "guided_backprop"):
        assert relative(explain(other, network, x).values, expected) > 1e-2


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        *((KNOWN[name], name.split()[0]) for name in KNOWN if name not in RECTIFIERS and name not in ("rrelu", "selu")),
        (lambda x: x.clamp(max=1), "clamp"),
        (lambda x: x.clamp(-1, 1), "clamp"),
        (lambda x: x.clamp(min=x.new_zeros(1)), "clamp"),
        (lambda x: x * x.sigmoid(), "written by hand"),
        (torch.tanh, "tanh"),
        (lambda x: x, "no activation to guide: deconvolution"),
    ],
)
def test_deconvolution_refuses_what_is_no_rectifier(activation: Activation, name: str) -> None:
    network = wrap(Tiny(activation))
    with pytest.raises(Refused, match=f"(?i){name.replace('_', '')}|{name}"):
        Deconvolution().check(network, NoParameters())
    with pytest.raises(Refused):  # the pass itself is looked at again
        next(Deconvolution().attribute(Engine(network, Score(0)), random_picture(), NoParameters(), 0))


def test_deconvolution_refuses_one_foreign_activation_among_rectifiers() -> None:
    calls = iter(range(100))
    network = wrap(Tiny(lambda x: F.relu(x) if next(calls) % 2 else F.silu(x)))
    with pytest.raises(Refused, match="Deconvolution does not know how to guide: silu"):
        explain("deconvolution", network, random_picture())


def test_max_pooling_goes_back_by_its_switches() -> None:
    """One channel, by hand: each maximum's place takes its window's signal, and negative signals are cut."""

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([[2.0, -3.0]]))

        def forward(self, x: Tensor) -> Tensor:
            return F.max_pool2d(F.relu(x - 5), (1, 2)).flatten(1) @ self.weight.mT

    x = torch.tensor([[[0.1, 0.7, 0.9, 0.3]]])
    network = wrap(Pooled(), classes=1, mean=(0.0,), std=(1.0,))
    network.size = (1, 4)
    actual = explain("deconvolution", network, x).values
    # every rectifier is off, so all of its outputs are 0 and the first place of a window is its maximum
    assert actual.tolist() == [[[2.0, 0.0, 0.0, 0.0]]]
    assert not explain("vanilla_gradient", network, x).values.any()


class PlainReLU(torch.autograd.Function):
    """An activation of the model's own: no one can tell from outside how to guide it."""

    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, upstream):  # type: ignore[no-untyped-def]
        return upstream * (ctx.saved_tensors[0] > 0)


UNKNOWN: dict[str, tuple[Activation, str]] = {
    "swish": (lambda x: x * x.sigmoid(), "written by hand"),
    "swish, the other way round": (lambda x: x.sigmoid() * x, "written by hand"),
    "swish, scaled": (lambda x: 0.5 * x * x.sigmoid(), "written by hand"),
    "swish with β": (lambda x: x * torch.sigmoid(1.7 * x), "written by hand"),
    "swish by tanh": (lambda x: x * (1 + torch.tanh(0.5 * x)) / 2, "written by hand"),
    "swish in place": (lambda x: x.clone().mul_(x.sigmoid()), "written by hand"),
    "hardswish": (lambda x: x * F.relu6(x + 3) / 6, "written by hand"),
    "hardswish, divided first": (lambda x: x / 6 * F.relu6(x + 3), "written by hand"),
    "hardswish by hardsigmoid": (lambda x: x * F.hardsigmoid(x), "written by hand"),
    "mish": (lambda x: x * torch.tanh(F.softplus(x)), "written by hand"),
    "gelu, tanh form": (lambda x: 0.5 * x * (1 + torch.tanh(0.7978846 * (x + 0.044715 * x**3))), "pow"),
    "gelu, tanh form, by products": (
        lambda x: 0.5 * x * (1 + torch.tanh(0.7978846 * (x + 0.044715 * x * x * x))),
        "written by hand",
    ),
    "gelu by erf": (lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)), "erf"),
    "square": (lambda x: x * x, "written by hand"),
    "relu by a mask": (lambda x: x * (x > 0), "mask"),
    "relu by a mask of numbers": (lambda x: (x > 0).to(x.dtype) * x, "mask"),
    "relu by where": (lambda x: torch.where(x > 0, x, 0 * x), "where"),
    "relu by masked_fill": (lambda x: x.masked_fill(x < 0, 0), "maskedfill"),
    "relu by maximum": (lambda x: torch.maximum(x, torch.zeros_like(x)), "maximum"),
    "relu by |x|": (lambda x: (x + x.abs()) / 2, "abs"),
    "relu on a view": (lambda x: (x := x.clone(), x[:, :2].relu_())[0], "copyslices"),
    "softplus by exp": (lambda x: torch.log1p(x.exp()), "log1p"),
    "square root": (lambda x: (x.square() + 1).sqrt(), "pow"),
    "root of a relu": (lambda x: (x.relu() + 1).sqrt(), "sqrt"),
    "sigmoid": (torch.sigmoid, r"sigmoid .as an activation"),
    "hardsigmoid": (F.hardsigmoid, r"hardsigmoid .as an activation"),
    "tanh": (torch.tanh, r"tanh .as an activation"),
    "logsigmoid": (F.logsigmoid, "logsigmoid"),
    "softsign": (F.softsign, "abs"),
    "sine": (torch.sin, "sin"),
    "an autograd function": (PlainReLU.apply, "PlainReLU"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_activations_are_refused_by_name(name: str) -> None:
    check_refused(*UNKNOWN[name])


def test_activation_of_the_models_own_does_not_hide_among_known_ones() -> None:
    calls = iter(range(100))
    check_refused(lambda x: F.relu(x) if next(calls) % 2 else PlainReLU.apply(x), "PlainReLU")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.jit is on its way out, models written with it are not
@pytest.mark.parametrize(
    ("source", "refusal"), [("x.relu()", None), ("x * x.sigmoid()", "written by hand|differentiable")]
)
def test_scripted_activations(source: str, refusal: str | None) -> None:
    """TorchScript fuses after some runs, and autograd then sees one node for all: refused, never passed over."""
    scripted = torch.jit.CompilationUnit(f"def activation(x):\n    return {source}\n").activation
    network, x = wrap(Tiny(scripted)), random_picture()
    expected = wrap(Tiny(lambda value: GuidedActivation.apply(value, F.relu)))
    refusals: list[str] = []
    for _ in range(4):
        try:
            map_ = explain_unchecked(network)
        except Refused as error:
            refusals.append(str(error).lower())
            continue
        assert refusal is None
        assert relative(map_, gradient(expected, x, lambda y: y[:, 0])) < 1e-5
    assert all(re.search(refusal or "differentiable", message) for message in refusals)


class SqueezeExcite(nn.Module):
    """Tiny with squeeze-and-excitation after the first activation."""

    def __init__(self, activation: Activation, gate: Activation) -> None:
        super().__init__()
        self.body = Tiny(activation)
        self.squeeze = nn.Conv2d(6, 6, 1)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        x = self.body.activation(self.body.first(x))
        x = x * self.gate(self.squeeze(x.mean((2, 3), keepdim=True)))
        return self.body.head(self.body.activation(self.body.second(x)).mean((2, 3)))


@pytest.mark.parametrize(
    "gate",
    [torch.sigmoid, F.hardsigmoid, torch.tanh, lambda x: 1 + torch.tanh(x) / 2, lambda x: x.sigmoid().view(x.shape)],
)
def test_gates_are_left_alone(gate: Activation) -> None:
    network, x = wrap(SqueezeExcite(F.relu, gate)).double(), random_picture(seed=1).double()
    with_rule = wrap(SqueezeExcite(lambda value: GuidedActivation.apply(value, F.relu), gate)).double()
    with_rule.load_state_dict(network.state_dict())
    actual = explain("guided_backprop", network, x)
    assert actual.diagnostics == {"gradient_evaluations": 1, "guided_activations": 2, "gates": 1}
    assert relative(actual.values, gradient(with_rule, x, lambda y: y[:, 0])) < 1e-12
    with_rule.network.body.activation = lambda value: DeconvolutionActivation.apply(value, F.relu)
    deconvolved = explain("deconvolution", network, x)
    assert deconvolved.diagnostics == actual.diagnostics
    assert relative(deconvolved.values, gradient(with_rule, x, lambda y: y[:, 0])) < 1e-12


def test_hidden_sigmoid_is_no_gate_where_squeeze_and_excitation_follows() -> None:
    """It is multiplied, too; but it is also what is squeezed."""
    with pytest.raises(Refused, match=r"sigmoid .as an activation"):
        explain("guided_backprop", wrap(SqueezeExcite(torch.sigmoid, torch.sigmoid)), random_picture())


class CosineHead(nn.Module):
    """Tiny, its features divided by their norm: the clamp in `normalize` guards a division, it is no activation."""

    def __init__(self, activation: Activation, normalize: Activation) -> None:
        super().__init__()
        self.body, self.normalize = Tiny(activation), normalize

    def forward(self, x: Tensor) -> Tensor:
        x = self.body.activation(self.body.first(x))
        return self.body.head(self.normalize(self.body.activation(self.body.second(x)).mean((2, 3))))


@pytest.mark.parametrize(
    "normalize",
    [
        F.normalize,
        lambda x: x / (x.var(1, keepdim=True) + 1e-6).sqrt(),
        lambda x: x * (x.var(1, keepdim=True) + 1e-6).rsqrt(),
        lambda x: F.layer_norm(x, x.shape[1:]),
        lambda x: x.softmax(1),
    ],
)
def test_normalisations_are_left_alone(normalize: Activation) -> None:
    network, x = wrap(CosineHead(F.relu, normalize)).double(), random_picture(seed=2).double()
    with_rule = wrap(CosineHead(lambda value: GuidedActivation.apply(value, F.relu), normalize)).double()
    actual = explain("guided_backprop", network, x)
    assert actual.diagnostics["guided_activations"] == 2
    assert relative(actual.values, gradient(with_rule, x, lambda y: y[:, 0])) < 1e-12


def test_network_without_activation_is_refused() -> None:
    check_refused(lambda x: x, "no activation to guide")


def test_scales_of_the_networks_own_are_no_masks() -> None:
    """Layer scale, per channel, as ConvNeXt has it; and a learnt weight for each place."""
    for shape in ((6, 1, 1), (1, 6, 1, 1), (6, 8, 8), (1, 6, 8, 8)):

        class Scaled(Tiny):
            def __init__(self) -> None:
                super().__init__()
                self.scale = nn.Parameter(torch.rand(shape))  # noqa: B023

            def forward(self, x: Tensor) -> Tensor:
                x = self.scale * F.relu(self.first(x))
                return self.head(F.relu(self.second(x)).mean((2, 3)))

        assert explain("guided_backprop", wrap(Scaled()), random_picture()).diagnostics["guided_activations"] == 2


def test_relu_written_with_a_clamp_has_the_map_of_relu() -> None:
    network, x = wrap(Tiny(lambda value: value - value.clamp(max=0))).double(), random_picture(seed=3).double()
    actual, expected = explain("guided_backprop", network, x), explain("guided_backprop", wrap(Tiny()).double(), x)
    assert actual.diagnostics["guided_activations"] == 2
    assert relative(actual.values, expected.values) < 1e-12
    with pytest.raises(Refused, match="sub"):
        explain("deconvolution", network, x)


def as_stack(values: Tensor, other: Tensor) -> Tensor:
    return torch.stack((values, other))


WRITTEN_BY_HAND: dict[str, Activation] = {
    "twice the clamp": lambda x: x - 2 * x.clamp(max=0),
    "plus a relu": lambda x: x + F.relu(-x),
    "two relus": lambda x: F.relu(x) - F.relu(x - 6),
    "amax of a stack with zeros": lambda x: as_stack(x, torch.zeros_like(x)).amax(0),
    "max of a stack with zeros": lambda x: as_stack(x, torch.zeros_like(x)).max(0)[0],
    "amax of a stack with itself": lambda x: as_stack(x, 0.1 * x).amax(0),
    "amax of padding": lambda x: F.pad(x[None], (0, 0, 0, 0, 0, 0, 0, 0, 0, 1)).amax(0),
    "a bound from above": lambda x: x.clamp(max=1),
}


@pytest.mark.parametrize("activation", WRITTEN_BY_HAND.values(), ids=WRITTEN_BY_HAND)
def test_activations_written_by_hand_are_refused(activation: Activation) -> None:
    check_refused(activation, "perhaps an activation written by hand|clampmax")


@pytest.mark.parametrize(
    "gate",
    [
        lambda x: F.relu6(x + 3) / 6,
        lambda x: (x + 3).clamp(0, 6) * (1 / 6),
        lambda x: (x / 6 + 0.5).clamp(0, 1),
        lambda x: F.hardtanh(x + 3, 0, 6).div(6),
    ],
)
def test_hard_sigmoid_by_hand_is_the_same_gate(gate: Activation) -> None:
    class Squeezed(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            x = self.activation(self.first(x))
            x = self.activation(self.second(x * self.gate(9 * x.mean((2, 3), keepdim=True))))
            return self.head(x.mean((2, 3)))

    maps = []
    for form in (F.hardsigmoid, gate):
        network = Squeezed()
        network.gate = form  # type: ignore[assignment]
        maps.append(explain("guided_backprop", wrap(network).double(), random_picture(seed=3).double()))
        assert (maps[-1].diagnostics["guided_activations"], maps[-1].diagnostics["gates"]) == (2, 1)
    assert relative(maps[1].values, maps[0].values) < 1e-7  # PyTorch's hardsigmoid rounds 1/6 to float32


def test_maximum_of_channels_is_no_activation() -> None:
    """Maxout, and pooling over a stack of several pictures' features."""

    class Maxout(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            x = self.activation(self.first(x))
            x = torch.stack((self.second(x), self.second(x.flip(-1)))).amax(0)
            return self.head(x.mean((2, 3)))

    assert explain("guided_backprop", wrap(Maxout()), random_picture()).diagnostics["guided_activations"] == 1
