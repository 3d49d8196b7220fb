"""DeepLIFT: by hand, against activations with its rule, complete on real architectures, and refused or failed rather
than wrong."""

from __future__ import annotations

import itertools
import warnings

import pytest
import torch
import torch.nn.functional as F
from captum.attr import DeepLift as CaptumDeepLift
from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.errors import ComputationFailed, Refused
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.methods.rescale import SUPPORTED_MODULES, ScoreNetwork, WindowedMaxPool
from gradoscope.attribution.score import Score
from torch import Tensor, nn

from tests.support.nets import (
    Linear,
    Tiny,
    classifier,
    explain,
    lite0,
    random_picture,
    relative,
    sample_pixels,
    seeded,
    wrap,
)
from tests.support.rule_activations import Activation, RescaleActivation

BASELINES = ("black", "white", "mean", "blurred", "noise")


def row(network: nn.Module, width: int) -> Classifier:
    """A classifier of one class, of grey pictures that are one row of pixels."""
    return Classifier(network, size=(1, width), labels=["it"], mean=(0.0,), std=(1.0,))


def rescale_map(network: Classifier, x: Tensor, baseline: Tensor, target: int = 0) -> Tensor:
    """For a network with `RescaleActivation`: DeepLIFT by definition, on a batch of the picture and its baseline."""
    pair = torch.stack((x, baseline)).requires_grad_()
    (multiplier,) = torch.autograd.grad(network(pair)[:, target].sum(), pair)
    return (x - baseline) * multiplier[0]


def complete(record: dict, within: float) -> bool:
    return record["attributed"] == pytest.approx(record["expected"], rel=within)


@pytest.mark.parametrize("baseline", BASELINES)
def test_linear_score(baseline: str) -> None:
    """W ⊙ (x − x′), and nothing to rescale."""
    network, x = Linear(), random_picture(seed=4)
    actual = explain("deep_lift", wrap(network), x, baseline=baseline, score=Score(2), seed=5)
    assert torch.allclose(actual.values, network.weight[2] * (x - make_baseline(baseline, x, seed=5)), atol=1e-6)
    assert actual.diagnostics["rescaled"] == 0
    assert actual.diagnostics["gradient_evaluations"] == 2


class Hinge(nn.Module):
    """y = 3 · relu(2 x₀ − x₁ − 0.5)"""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.relu = nn.Parameter(torch.tensor([2.0, -1.0])), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return 3 * self.relu(x.flatten(1) @ self.weight - 0.5)[:, None]


@pytest.mark.parametrize(
    ("x", "baseline", "expected"),
    [
        # in: −0.5 → 0.9, out: 0 → 2.7, multiplier 2.7 / 1.4; shared out as 2·0.8 and −1·0.2
        ((0.8, 0.2), "black", (1.6 * 2.7 / 1.4, -0.2 * 2.7 / 1.4)),
        # in: 0.5 → 0.9: above the kink all along, so the gradient
        ((0.8, 0.2), "white", (3 * 2 * -0.2, 3 * -1 * -0.8)),
        # in: −0.5 → −0.2: below it, nothing
        ((0.2, 0.1), "black", (0.0, 0.0)),
    ],
)
def test_one_relu_by_hand(x: tuple[float, float], baseline: str, expected: tuple[float, float]) -> None:
    actual = explain("deep_lift", row(Hinge(), 2), torch.tensor([[x]]), baseline=baseline)
    assert actual.values.flatten().tolist() == pytest.approx(expected)
    assert actual.diagnostics["rescaled"] == 1


def test_overlapping_pooling_by_hand() -> None:
    """Both windows have their maximum in the middle, which gets both shares. captum alone keeps one."""

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.MaxPool2d((1, 2), stride=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.pool(x).sum((1, 2, 3))[:, None]

    network, x = row(Pooled(), 3), torch.tensor([[[0.1, 0.5, 0.2]]])
    assert explain("deep_lift", network, x).values.flatten().tolist() == pytest.approx([0, 1, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = CaptumDeepLift(network).attribute(x[None], torch.zeros(1, 1, 1, 3), target=0)
    assert alone.detach().sum().item() == pytest.approx(0.5)


@pytest.mark.parametrize(
    "activation",
    [nn.ReLU(), nn.ReLU(inplace=True), nn.ELU(), nn.ELU(inplace=True), nn.LeakyReLU(0.2), nn.Tanh(), nn.Softplus()],
)
@pytest.mark.parametrize("baseline", BASELINES)
def test_reused_activation_against_the_rule(activation: nn.Module, baseline: str) -> None:
    """One module for both layers, which captum alone cannot do."""
    network, x = wrap(Tiny(activation)).double(), random_picture(seed=3).double()
    actual = explain("deep_lift", network, x, score=Score(1), baseline=baseline, seed=2)
    with_rule = wrap(Tiny(lambda value: RescaleActivation.apply(value, activation))).double()
    assert relative(actual.values, rescale_map(with_rule, x, make_baseline(baseline, x, seed=2), 1)) < 1e-12
    assert actual.diagnostics["rescaled"] == 2
    assert complete(actual.diagnostics["completeness"], 1e-9)


@pytest.mark.parametrize("inplace", [False, True])
def test_relu6_against_the_rule(inplace: bool) -> None:
    """With pictures so bright that some activations go from below 0, some from within, to above 6."""
    network, x = wrap(Tiny(nn.ReLU6(inplace)), std=(0.02,) * 3).double(), random_picture(seed=3).double()
    assert bool((network.network.first(x[None] / 0.02) > 6).any())
    actual = explain("deep_lift", network, x, baseline="noise", seed=2)
    with_rule = wrap(Tiny(lambda value: RescaleActivation.apply(value, F.relu6)), std=(0.02,) * 3).double()
    assert relative(actual.values, rescale_map(with_rule, x, make_baseline("noise", x, seed=2))) < 1e-12


class Skip(Tiny):
    """A skip connection around the activation. An in-place activation changes what the skip connection carries."""

    def forward(self, x: Tensor) -> Tensor:
        before = self.first(x)
        after = self.activation(before)
        return self.head(self.activation(self.second(before + 2 * after)).mean((2, 3)))


@pytest.mark.parametrize("inplace", [False, True])
def test_input_that_goes_elsewhere_too(inplace: bool) -> None:
    network, x = wrap(Skip(nn.ReLU(inplace))).double(), random_picture(seed=3).double()

    def with_rule(value: Tensor) -> Tensor:
        y = RescaleActivation.apply(value.clone(), F.relu)
        return value.copy_(y) if inplace else y

    actual = explain("deep_lift", network, x)
    assert relative(actual.values, rescale_map(wrap(Skip(with_rule)).double(), x, torch.zeros_like(x))) < 1e-12
    assert complete(actual.diagnostics["completeness"], 1e-9)


def test_rule_straight_behind_a_rule() -> None:
    """A ReLU before a max pooling, as VGG has it: captum alone hands the ReLU a gradient that no rule has changed."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 3))
    model, x = wrap(network).double(), random_picture().double()
    actual = explain("deep_lift", model, x, baseline="noise").diagnostics["completeness"]
    assert complete(actual, 1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = CaptumDeepLift(model).attribute(x[None], make_baseline("noise", x, seed=0)[None], target=0)
    assert abs(float(alone.detach().sum()) - actual["expected"]) > 0.1 * abs(actual["expected"])


@pytest.mark.parametrize(
    ("name", "side", "rescaled"),
    [
        ("resnet18", 64, 18),  # 17 ReLUs, all in place, 16 of them shared by two layers each, and an overlapping pool
        ("vgg11", 64, 15),  # 10 + 5
        ("alexnet", 96, 10),  # 7 + 3 overlapping
        ("squeezenet1_1", 64, 29),  # 26 + 3 with ceil_mode
    ],
)
def test_complete_on_real_architectures(name: str, side: int, rescaled: int) -> None:
    network, x = classifier(name, side), random_picture(side=side)
    for baseline, score in (("black", Score(0)), ("noise", Score(3, "logit", 5))):
        actual = explain("deep_lift", network, x, baseline=baseline, score=score)
        assert actual.diagnostics["rescaled"] == rescaled
        assert complete(actual.diagnostics["completeness"], 1e-3)
        assert actual.values.abs().sum() > 0


def test_complete_on_the_real_lite0() -> None:
    """captum has no rule for ReLU6: its own DeepLIFT is input × gradient here, with a sum of 0.86 for 10.3."""
    actual = explain("deep_lift", lite0(), sample_pixels("cat"), score=Score(282))
    assert actual.diagnostics["rescaled"] == 33
    assert actual.diagnostics["completeness"]["expected"] > 9
    assert complete(actual.diagnostics["completeness"], 1e-5)
    gradient = explain("input_x_gradient", lite0(), sample_pixels("cat"), score=Score(282)).values
    assert relative(actual.values, gradient) > 0.1


class Half(nn.Module):
    """The first half of Tiny, then `operation` on its 8 features."""

    def __init__(self, operation: Activation) -> None:
        super().__init__()
        self.body, self.operation = Tiny(nn.ReLU()), operation

    def forward(self, x: Tensor) -> Tensor:
        return self.body.head(self.operation(self.body.activation(self.body.first(x)).mean((2, 3)).repeat(1, 2)[:, :8]))


class Inherited(nn.ReLU):
    """captum goes by exact types."""


FOREIGN: dict[str, tuple[Activation, str]] = {
    "functional relu": (F.relu, r"1 × relu \(no module\)"),
    "functional relu6": (F.relu6, r"1 × hardtanh \(no module\)"),
    "hardtanh": (nn.Hardtanh(), r"1 × hardtanh \(Hardtanh\)"),
    "a subclass": (Inherited(), r"1 × relu \(Inherited\)"),
    "silu": (nn.SiLU(), r"silu \(SiLU\)"),
    "a gate": (lambda x: x * x.sigmoid(), r"mul \(no module\).* sigmoid \(no module\)"),
    "a product": (lambda x: x * (1 - x), "mul"),
    "a mask": (lambda x: x * (x > 0.1), "mul"),
    "attention": (lambda x: (x[:, :, None] @ x[:, None]).softmax(-1).sum(-1), "softmax.* bmm|bmm.* softmax"),
    "softmax module": (nn.Softmax(1), r"softmax \(Softmax\)"),
    "layer norm": (nn.LayerNorm(8), "nativelayernorm"),
    "division": (lambda x: 1 / (1 + x), "reciprocal"),
    "quotient": (lambda x: x / x.sum(1, keepdim=True), "div"),
    "norm": (F.normalize, "linalgvectornorm"),
    "the picture's own statistics": (lambda x: F.instance_norm(x[:, None])[:, 0], "nativebatchnorm"),
    "maximum": (lambda x: x.amax(1, keepdim=True).expand_as(x), "amax"),
    "root": (lambda x: (x + 1).sqrt(), "sqrt"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_captum_has_no_rule_for_is_refused_by_name(name: str) -> None:
    operation, reason = FOREIGN[name]
    model = wrap(Half(operation))
    assert model(torch.stack((random_picture(), random_picture(seed=1)))).shape == (2, 3)  # it is a sound network
    method = find_method("deep_lift")
    with pytest.raises(Refused, match=reason):
        method.check(model, method.Parameters())


LINEAR: dict[str, Activation] = {
    "batch norm": nn.BatchNorm1d(8),
    "affine": lambda x: (2 * x - 1) / 3 + x.mean(1, keepdim=True),
    "split": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "pooling": nn.AvgPool1d(3, 1, 1),
    "dropout": nn.Dropout(),
    "nothing": nn.Identity(),
}


@pytest.mark.parametrize("name", LINEAR)
def test_what_is_linear_needs_no_rule(name: str) -> None:
    actual = explain("deep_lift", wrap(Half(LINEAR[name])).double(), random_picture().double())
    assert actual.diagnostics["rescaled"] == 1
    assert complete(actual.diagnostics["completeness"], 1e-9)


def test_map_that_is_not_complete_fails() -> None:
    """A network that does something else with the picture than with the grey one that it is probed with."""

    class Moody(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            x = self.activation(self.first(x)) if x.std() < 1e-6 else (5 * self.first(x)).exp()
            return self.head(self.activation(self.second(x)).mean((2, 3)))

    with pytest.raises(ComputationFailed, match=r"sums to .* where the score changes by"):
        explain("deep_lift", wrap(Moody(), classes=3), random_picture())


def test_picture_that_is_its_baseline_gives_zeros() -> None:
    actual = explain("deep_lift", wrap(Tiny()), torch.zeros(3, 8, 8))
    assert not actual.values.any()
    assert actual.diagnostics["completeness"]["relative_error"] is None


def test_copy_shares_the_weights_and_answers_the_same() -> None:
    model, x = classifier("resnet18", 64), random_picture(side=64)[None]
    copied = ScoreNetwork(model, Score(7))
    assert torch.equal(copied(x)[:, 0], model(x)[:, 7])
    mine = {tensor.data_ptr() for tensor in itertools.chain(model.parameters(), model.buffers())}
    assert {tensor.data_ptr() for tensor in itertools.chain(copied.parameters(), copied.buffers())} == mine
    assert not {id(module) for module in model.modules()} & {id(module) for module in copied.modules()}


@pytest.mark.parametrize("kernel", [2, 3, (2, 3)])
@pytest.mark.parametrize("stride", [None, 1, 2, (3, 2)])
@pytest.mark.parametrize(("padding", "dilation"), [(0, 1), (1, 1), (1, 2), ((0, 1), (2, 1))])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_windowed_pooling_is_the_pooling(kernel, stride, padding, dilation, ceil_mode) -> None:  # type: ignore[no-untyped-def]
    pool = nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    for size in ((9, 9), (8, 11), (7, 6)):
        x = (seeded((2, 3, *size)) - 3).requires_grad_()  # below zero, so that padding with zeros would show
        actual, expected = WindowedMaxPool(pool)(x), pool(x)
        assert torch.equal(actual, expected)
        weights = seeded(tuple(expected.shape), seed=1)
        slopes = [torch.autograd.grad((y * weights).sum(), x)[0] for y in (actual, expected)]
        assert torch.allclose(*slopes, atol=1e-6)


def test_every_covered_module_has_a_rule_of_captums() -> None:
    assert set(SUPPORTED_MODULES) - {nn.ReLU6} <= set(SUPPORTED_NON_LINEAR)


def test_seed_takes_part_only_with_the_noise_baseline() -> None:
    method = find_method("deep_lift")
    assert [method.stochastic(method.Parameters(baseline=kind)) for kind in BASELINES] == [False] * 4 + [True]
