"""LRP against zennit, rules in closed form, conservation, and networks that say the same in other words."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision.models as tv
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.lrp import RULE_SETS, RelevanceRule
from gradoscope.attribution.methods.lrp.layers import Layer, alpha_beta, box, epsilon, flat, gamma, z_plus
from gradoscope.attribution.score import Score
from torch import Tensor, nn
from zennit.canonizers import Canonizer
from zennit.torchvision import ResNetCanonizer

from tests.support.nets import (
    Tiny,
    classifier,
    explain,
    lite0,
    random_picture,
    relative,
    sample_pixels,
    seeded,
    vgg11,
    wrap,
)
from tests.support.zennit_maps import InvertedResidualCanonizer, zennit_relevance

SIDE = 64


@lru_cache(maxsize=1)
def vgg11_bn() -> Classifier:
    torch.manual_seed(0)
    return wrap(vgg11(batch_norm=True), SIDE, classes=1000)


NETWORKS: dict[str, tuple[Callable[[], Classifier], list[Canonizer]]] = {
    "lite0": (lambda: lite0().at((SIDE, SIDE)), [InvertedResidualCanonizer()]),
    "resnet18": (lambda: classifier("resnet18", SIDE), [ResNetCanonizer()]),
    "vgg11_bn": (vgg11_bn, []),
}


@lru_cache(maxsize=1)
def resnet18() -> Classifier:
    torch.manual_seed(0)
    return wrap(tv.resnet18(), SIDE, classes=1000)


WIDE = {"resnet18": resnet18, "vgg11_bn": vgg11_bn}


def top(network: Classifier, x: Tensor) -> int:
    with torch.no_grad():
        return int(network(x[None]).argmax())


@pytest.mark.parametrize("rules", RULE_SETS)
@pytest.mark.parametrize("name", NETWORKS)
def test_against_zennit(name: str, rules: str) -> None:
    """In float64: what float32 rounds away is another question."""
    build, canonizers = NETWORKS[name]
    network = copy.deepcopy(build()).double()
    x = sample_pixels("cat", SIDE).double()
    target = top(network, x)
    actual = explain("lrp", network, x, score=Score(target), rules=rules, biases="absorb")
    assert relative(actual.values, zennit_relevance(network, x, target, rules, "absorb", canonizers)) < 1e-4


@pytest.mark.parametrize("rules", RULE_SETS)
@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn"])
def test_against_zennit_in_float32(name: str, rules: str) -> None:
    """In full width, where fewer outputs are near 0: what rounding does to those is told by no bound."""
    _, canonizers = NETWORKS[name]
    network, x = WIDE[name](), sample_pixels("cat", SIDE)
    target = top(network, x)
    actual = explain("lrp", network, x, score=Score(target), rules=rules, biases="absorb")
    assert relative(actual.values, zennit_relevance(network, x, target, rules, "absorb", canonizers)) < 1e-4


LAYERS = {
    "dense": (nn.Linear(7, 5), (2, 7)),
    "convolution": (nn.Conv2d(3, 4, 3, padding=1, stride=2), (2, 3, 6, 5)),
    "groups": (nn.Conv2d(4, 4, 3, groups=4, dilation=2, padding=2), (1, 4, 6, 6)),
}
SIGNS = {"positive": lambda x: x.abs(), "mixed": lambda x: x, "zero": lambda x: x * (x > 10)}


def matrix(module: nn.Module, x: Tensor) -> Tensor:
    """The layer of one input as a matrix, (outputs, inputs)."""
    plain = copy.deepcopy(module)
    plain.bias = None
    return torch.func.jacrev(lambda one: plain(one[None])[0].flatten())(x).detach().flatten(1)


def by_parts(parts: Tensor, bias: Tensor, relevance: Tensor, share: bool, counted: Tensor, x: Tensor) -> Tensor:
    """Σ_j (q_ij + (b_j + ε_j) s_ij) R_j / (Σ_i q_ij + b_j + ε_j), written out; s_ij are shares by magnitude."""
    found = torch.zeros(parts.shape[1], dtype=parts.dtype)
    for j in range(len(parts)):
        total = parts[j].sum() + bias[j]
        margin = 1e-6 if total >= 0 else -1e-6
        sizes = counted[j] if (counted[j] * x).abs().sum() == 0 else counted[j] * x.abs()
        numerator = parts[j] + (sizes / sizes.sum() * (bias[j] + margin) if share else 0)
        found += numerator / (total + margin) * relevance[j]
    return found


def expected(rule: str, w: Tensor, x: Tensor, b: Tensor, r: Tensor, share: bool, counted: Tensor) -> Tensor:
    q = w * x

    def one(parts: Tensor, bias: Tensor, rel: Tensor) -> Tensor:
        return by_parts(parts, bias, rel, share, counted, x)

    if rule == "epsilon":
        return one(q, b, r)
    if rule == "z_plus":
        return one(q.clamp(min=0), b.clamp(min=0), r)
    if rule == "alpha2_beta1":
        return 2 * one(q.clamp(min=0), b.clamp(min=0), r) - one(q.clamp(max=0), b.clamp(max=0), r)
    if rule == "gamma":
        positive = q.sum(1) + b > 0
        above, below = (q + 0.25 * q.clamp(min=0), q + 0.25 * q.clamp(max=0))
        return one(above, b + 0.25 * b.clamp(min=0), r * positive) + one(
            below, b + 0.25 * b.clamp(max=0), r * ~positive
        )
    if rule == "flat":
        return one(counted, torch.zeros_like(b), r)
    return one(q - (-2) * w.clamp(min=0) - 3 * w.clamp(max=0), torch.zeros_like(b), r)


RULES = {
    "epsilon": epsilon,
    "z_plus": z_plus,
    "alpha2_beta1": alpha_beta(2, 1),
    "gamma": gamma,
    "flat": flat,
    "box": box,
}


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("rule", RULES)
def test_rules_written_out(rule: str, kind: str, sign: str, share: bool) -> None:
    module, shape = LAYERS[kind]
    module = copy.deepcopy(module).double()
    x, dense = SIGNS[sign](seeded(shape, 1).double()), kind == "dense"

    def apply(values: Tensor, weight: Tensor) -> Tensor:
        if isinstance(module, nn.Linear):
            return F.linear(values, weight)
        return F.conv2d(values, weight, None, module.stride, module.padding, module.dilation, module.groups)

    ends = [torch.full_like(x, end) for end in (-2.0, 3.0)]
    layer = Layer(apply, x, module.weight.detach(), module.bias.detach(), dense, *ends)
    outputs = module(x).detach()
    assert torch.allclose(layer.outputs(), outputs)
    relevance = seeded(outputs.shape, 2).double()
    actual = RULES[rule](layer, relevance, share)
    weights = matrix(module, x[0])
    ones = copy.deepcopy(module)
    ones.weight.data.fill_(1)
    counted = matrix(ones, x[0])
    per_channel = module.bias.detach()
    bias = per_channel if dense else per_channel.repeat_interleave(outputs[0, 0].numel())
    for number in range(len(x)):
        found = expected(rule, weights, x[number].flatten(), bias, relevance[number].flatten(), share, counted)
        assert relative(actual[number].flatten(), found) < 1e-9
    if share:
        assert float(actual.sum()) == pytest.approx(float(relevance.sum()), rel=1e-9)


CONSERVING = {
    "resnet18": 64,
    "densenet121": 64,
    "googlenet": 64,
    "inception_v3": 128,
    "squeezenet1_1": 64,
    "mobilenet_v3_small": 64,
    "efficientnet_b0": 64,
    "regnet_y_400mf": 64,
    "shufflenet_v2": 64,
    "tf_efficientnet_lite0": 64,
}


@pytest.mark.parametrize("rules", RULE_SETS)
@pytest.mark.parametrize("name", CONSERVING)
def test_what_goes_in_comes_out(name: str, rules: str) -> None:
    network, x = classifier(name, CONSERVING[name]), sample_pixels("cat", CONSERVING[name])
    target = top(network, x)
    record = explain("lrp", network, x, score=Score(target), rules=rules).diagnostics["completeness"]
    with torch.no_grad():
        assert record["expected"] == pytest.approx(float(network(x[None])[0, target]), rel=1e-3)
    assert abs(record["relative_error"]) < 0.01


def test_what_goes_in_comes_out_of_a_trained_network() -> None:
    """Biases are large there, and some channels of a depthwise convolution are 0 in all of its window."""
    for rules in RULE_SETS:
        found = explain("lrp", lite0(), sample_pixels("cat"), score=Score(282), rules=rules).diagnostics
        assert abs(found["completeness"]["relative_error"]) < 0.01, rules
        assert found["layers"] == 50


class Written(nn.Module):
    """A residual network with everything that can be said in several ways, said in one of them."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1, bias=False)
            self.norm, self.head = nn.BatchNorm2d(6), nn.Linear(6, 3)
            self.squeeze = nn.Linear(6, 6)
            for name in ("weight", "bias", "running_mean"):
                getattr(self.norm, name).data.normal_()
            self.norm.running_var.uniform_(0.5, 2)
        self.written = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.written(self, x)


def by_modules(net: Any, x: Tensor) -> Tensor:
    x = nn.ReLU()(net.first(x))
    x = nn.ReLU6()(x + net.norm(net.second(x)))
    x = x * torch.sigmoid(net.squeeze(x.mean((2, 3))))[:, :, None, None]
    return net.head(nn.AdaptiveAvgPool2d(1)(x).flatten(1))


def by_functions(net: Any, x: Tensor) -> Tensor:
    x = torch.relu(F.conv2d(input=x, weight=net.first.weight, bias=net.first.bias, padding="same"))
    inner = F.conv2d(F.pad(x, (1, 1, 1, 1)), net.second.weight)
    stored = (net.norm.running_mean, net.norm.running_var, net.norm.weight, net.norm.bias)
    x = torch.add(x, F.batch_norm(inner, *stored)).clamp(0, 6)
    gate = F.linear(
        F.avg_pool2d(x, x.shape[-1]).squeeze(-1).squeeze(-1), net.squeeze.weight, net.squeeze.bias
    ).sigmoid()
    x = torch.mul(gate.view(-1, 6, 1, 1), x)
    return F.linear(torch.mean(x, dim=(2, 3)), net.head.weight, net.head.bias)


def in_place(net: Any, x: Tensor) -> Tensor:
    x = F.relu_(net.first(x))
    inner = net.second(x)
    x += net.norm(inner)
    x = F.hardtanh(x, 0, 6, inplace=True)
    x *= net.squeeze(x.mean((2, 3), keepdim=True).flatten(1)).sigmoid_()[..., None, None]
    return net.head(x.flatten(2).mean(-1))


def scaled(net: Any, x: Tensor) -> Tensor:
    """Scales and shifts that cancel: a value and its multiple have the same relevance."""
    x = F.relu6((net.first(x).relu() * 4).div(2) / 2 + net.norm(net.second(net.first(x).relu())))
    gate = net.squeeze(x.mean((2, 3))).sigmoid()[:, :, None, None].expand_as(x)
    return net.head((x * gate).mean((2, 3)))


@pytest.mark.parametrize("biases", ["share", "absorb"])
@pytest.mark.parametrize("rules", RULE_SETS)
@pytest.mark.parametrize("written", [by_functions, in_place, scaled])
def test_how_a_network_is_written_does_not_matter(written: Any, rules: str, biases: str) -> None:
    x = random_picture(seed=2).double()
    options = {"score": Score(1), "rules": rules, "biases": biases}
    one, other = (wrap(Written(form), mean=(0.4,) * 3, std=(0.2,) * 3).double() for form in (by_modules, written))
    assert torch.allclose(one(x[None]), other(x[None]))
    found = explain("lrp", other, x, **options).values
    assert float(found.abs().max()) > 0
    assert relative(found, explain("lrp", one, x, **options).values) < 1e-9


@pytest.mark.parametrize("rules", RULE_SETS)
def test_batch_normalisation_is_merged(rules: str) -> None:
    """The map is that of the network with one convolution in the place of both."""

    def merged(net: Any, x: Tensor) -> Tensor:
        scale = net.norm.weight / (net.norm.running_var + net.norm.eps).sqrt()
        weight, bias = net.second.weight * scale.view(-1, 1, 1, 1), net.norm.bias - net.norm.running_mean * scale
        x = net.first(x).relu()
        x = F.relu6(x + F.conv2d(x, weight, bias, padding=1))
        x = x * torch.sigmoid(net.squeeze(x.mean((2, 3))))[:, :, None, None]
        return net.head(x.mean((2, 3)))

    x = random_picture(seed=2).double()
    one, other = (
        explain("lrp", wrap(Written(form)).double(), x, rules=rules, biases="absorb").values
        for form in (by_modules, merged)
    )
    assert relative(one, other) < 1e-9


def test_box_has_the_bounds_of_what_the_first_layer_sees() -> None:
    """Pixels in [0, 1] after the card's normalisation, whatever order and shape they are brought to."""

    def turned(net: Any, x: Tensor) -> Tensor:
        left, right = x.flip(-1).chunk(2, dim=-1)
        return by_modules(net, torch.cat((left, right), -1).flip(-1).contiguous() * 2 / 2)

    x, norm = random_picture(seed=2).double(), {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)}
    one, other = (wrap(Written(form), **norm).double() for form in (by_modules, turned))
    a, b = (explain("lrp", net, x, rules="epsilon_gamma_box").values for net in (one, other))
    assert relative(a, b) < 1e-9


def test_difference_of_two_logits() -> None:
    """Relevance starts as y_t and −y_a: the maps of both, subtracted."""
    network, x = wrap(Tiny()).double(), random_picture().double()
    one, other, both = (
        explain("lrp", network, x, score=score).values for score in (Score(0), Score(2), Score(0, against=2))
    )
    assert relative(both, one - other) < 1e-9


@pytest.mark.parametrize("kind", ["probability", "log_probability"])
def test_only_logits(kind: str) -> None:
    with pytest.raises(Refused, match="score = logit"):
        explain("lrp", wrap(Tiny()), random_picture(), score=Score(0, kind))


def of_features(change: Callable[[Tensor], Tensor]) -> Classifier:
    class Changed(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(change(self.first(x))[:, :1].mean((2, 3)).expand(-1, 8))

    return wrap(Changed())


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * gradient


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda x: F.layer_norm(x, x.shape[1:]), "1 × nativelayernorm"),
        (lambda x: F.group_norm(x, 2), "1 × nativegroupnorm"),
        (lambda x: F.instance_norm(x), "1 × nativebatchnorm"),
        (lambda x: x * x, "1 × mul"),
        (lambda x: x[:, :3] * x[:, 3:], "1 × mul"),
        (lambda x: x**2, "1 × pow"),
        (lambda x: x / x.norm(dim=1, keepdim=True), "1 × div"),
        (lambda x: x.softmax(1), "1 × softmax"),
        (lambda x: x.sigmoid(), "1 × sigmoid"),
        (lambda x: torch.maximum(x[:, :3], x[:, 3:]), "1 × maximum"),
        (lambda x: x.transpose(2, 3) @ x, "bmm"),
        (lambda x: torch.ones(1, 6, 8, 8) @ x, "bmm"),
        (lambda x: x.cumsum(1), "1 × cumsum"),
        (lambda x: Doubled.apply(x), "1 × doubled"),
        (lambda x: F.conv2d(x, x[:, :, :3, :3]), r"1 × conv2d \(its weights depend on the picture\)"),
        (lambda x: x.sin(), "1 × sin"),
    ],
)
def test_refused_by_name(change: Callable[[Tensor], Tensor], named: str) -> None:
    with pytest.raises(Refused, match=rf"LRP has no rule for: .*{named}"):
        explain("lrp", of_features(change), random_picture())


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.* is deprecated")
def test_a_scripted_network_is_refused() -> None:
    """Its layers cannot be seen; the plain gradient would look like a map."""
    traced = torch.jit.trace(Tiny().eval(), torch.ones(1, 3, 8, 8))
    with pytest.raises(Refused, match=r"LRP has no rule for: .*convolution"):
        explain("lrp", wrap(traced), random_picture())


def test_an_operation_that_comes_later_is_refused_too() -> None:
    """What the probing pass does not meet, the pass of the map does."""

    class Moody(Tiny):
        squared = False

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) ** (2 if self.squared else 1) if self.squared else super().forward(x)

    network = Moody()
    wrapped = wrap(network)
    find_method("lrp").check(wrapped, find_method("lrp").Parameters())
    network.squared = True
    with pytest.raises(Refused, match="1 × pow"):
        explain("lrp", wrapped, random_picture())


def test_a_network_that_fails_is_refused() -> None:
    class Broken(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyError("features")

    with pytest.raises(Refused, match=r"could not be looked at \(KeyError: 'features'\)"):
        explain("lrp", wrap(Broken()), random_picture())


def test_nothing_of_a_pass_is_kept() -> None:
    rule = RelevanceRule(RULE_SETS["epsilon_plus_flat"], share_rest=True)
    network, x = wrap(Written(in_place)), random_picture()
    Engine(network, Score(0)).gradients(x[None], rule)
    recording = weakref.ref(rule._recording)
    rule.remove()
    assert recording() is None
    gc.collect()
    assert not [found for found in gc.get_objects() if isinstance(found, Layer)]


def test_several_pictures_in_a_pass() -> None:
    network, pictures = wrap(Tiny()).double(), torch.stack([random_picture(seed=n) for n in range(3)]).double()
    rule = RelevanceRule(RULE_SETS["alpha2_beta1_flat"], share_rest=True)
    together = Engine(network, Score((0, 1, 2))).gradients(pictures, rule)
    for number, x in enumerate(pictures):
        alone = explain("lrp", network, x, score=Score(number), rules="alpha2_beta1_flat").values
        assert relative(together[number], alone) < 1e-9
