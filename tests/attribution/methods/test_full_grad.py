"""FullGrad: by hand, against its formula written a second time, its sum, and where it is refused."""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
import pytorch_grad_cam as grad_cam
import torch
import torch.nn.functional as F
from gradoscope.attribution.bias_gradients import full_gradient
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.errors import ComputationFailed, Refused
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.full_grad import as_map, scaled
from gradoscope.attribution.score import Score
from pytorch_grad_cam import fullgrad_cam
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from tests.attribution.methods.test_cams import CLOSE, LEAF, apart, model, of_grad_cam
from tests.support.nets import (
    Tiny,
    classifier,
    complete,
    explain,
    random_picture,
    relative,
    sample_pixels,
    seeded,
    wrap,
)

CAT = 282


def test_by_hand() -> None:
    """y = 2 z + 1 with z = (x − ½) / ½ of red, S = Σ w y + ½ at four places, all y > 0: S = Σ w (4 x − 2 + 1) + ½."""
    conv, head = nn.Conv2d(3, 1, 1), nn.Linear(4, 2)
    conv.weight.data = torch.tensor([2.0, 0, 0]).view(1, 3, 1, 1)
    conv.bias.data.fill_(1)  # type: ignore[union-attr]
    head.weight.data, head.bias.data = torch.tensor([[1.0, 2, 3, 4], [0, 0, 0, 0]]), torch.tensor([0.5, 0])
    network = nn.Sequential(conv, nn.ReLU(inplace=True), nn.Flatten(), head)
    half = (0.5, 0.5, 0.5)
    x = torch.rand(3, 2, 2)
    x[0] = torch.tensor([[0.3, 0.4], [0.6, 0.9]])
    w = torch.tensor([[1.0, 2], [3, 4]])
    found = explain("full_grad", wrap(network, 2, 2, mean=half, std=half), x)
    # ψ of g x = 4 w x (0 in two channels), of the normalisation's −2 w (the same), and of the convolution's w
    expected = w * x[0] / (4 * 0.9) + w / 4 + (w - 1) / 3
    assert torch.allclose(found.values[0], expected, atol=1e-6)
    score = float((w * (4 * x[0] - 1)).sum() + 0.5)
    record = found.diagnostics["completeness"]
    assert record["expected"] == pytest.approx(score, rel=1e-5)
    assert record["attributed"] == pytest.approx(score, rel=1e-5)
    parts = full_gradient(wrap(network, 2, 2, mean=half, std=half), x, Score(0))
    assert [bias.layer for bias in parts.biases] == ["", "0", "3"]
    assert parts.sums == pytest.approx([float((4 * w * x[0]).sum()), -20, 10, 0.5, 0], rel=1e-5)


@lru_cache
def subject(name: str) -> Classifier:
    """In float64, with statistics and biases of batch normalisation that are not those of a new network."""
    made = copy.deepcopy(model(name)).double()
    if name != "lite0":
        for number, module in enumerate(made.modules()):
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.copy_(0.1 * seeded(module.running_mean.shape, number))  # type: ignore[union-attr]
                module.running_var.copy_(1 + seeded(module.running_mean.shape, number + 1).abs())  # type: ignore
                module.bias.data.copy_(0.1 * seeded(module.bias.shape, number + 2))
    return made


def own(network: Classifier, x: Tensor, target: int) -> tuple[Tensor, float]:
    """The map and the sum, with the biases written out for the layers of these three networks."""
    seen: list[tuple[Tensor, Tensor]] = []

    def keep(module: nn.Module, given: tuple[Tensor], output: Tensor) -> Tensor:
        z = given[0].detach()
        if isinstance(module, nn.BatchNorm2d):
            scale = module.weight / (module.running_var + module.eps).sqrt()  # type: ignore[operator]
            bias = (module.bias - module.running_mean * scale)[:, None, None].expand_as(output)  # type: ignore
            if isinstance(module, BatchNormAct2d):  # with its ReLU6, where it has one
                normed = z * scale[:, None, None] + bias
                inside = (normed > 0) & (normed < 6)
                bias = bias if isinstance(module.act, nn.Identity) else torch.where(inside, bias, 6.0 * (normed >= 6))
        else:
            bias = module.bias if output.dim() == 2 else module.bias[:, None, None]  # type: ignore
        seen.append((output, bias.detach() * torch.ones_like(output)))
        return output.clone()

    kinds = (nn.BatchNorm2d, nn.Conv2d, nn.Linear)
    handles = [
        module.register_forward_hook(keep)
        for module in network.modules()
        if isinstance(module, kinds) and getattr(module, "bias", None) is not None
    ]
    leaf = x[None].clone().requires_grad_()
    score = network(leaf)[0, target]
    for handle in handles:
        handle.remove()
    slope, *slopes = torch.autograd.grad(score, [leaf, *(output for output, _ in seen)])
    parts = [slope * x, -slope * network.mean, *(g * bias for g, (_, bias) in zip(slopes, seen, strict=True))]
    total = torch.zeros((1, 1, *x.shape[-2:]), dtype=x.dtype)
    for part in parts:
        if part.dim() == 4 and bool(part.any()):
            sizes = part.abs()
            sizes = (sizes - sizes.min()) / (sizes.max() - sizes.min())
            total += F.interpolate(sizes, x.shape[-2:], mode="bilinear", align_corners=False).sum(1, keepdim=True)
    return total[0], float(sum(part.sum() for part in parts).detach())  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["lite0", "resnet18", "vgg11_bn"])
def test_against_the_formula(name: str) -> None:
    network, x = subject(name), sample_pixels("cat", 64).double()
    network = network if name != "lite0" else network.at((64, 64))
    expected, total = own(network, x, CAT)
    actual = explain("full_grad", network, x, score=Score(CAT))
    assert relative(actual.values, expected) < 1e-6
    record = actual.diagnostics["completeness"]
    assert record["attributed"] == pytest.approx(total, rel=1e-8)
    assert complete(record, below=1e-8)


def scaled_together(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A layer's magnitudes (1, K, h, w) from 0 to 1 over all its channels, as in the authors' code, at (W, H)."""
    maps = torch.from_numpy(values - values.min()) / float(values.max() - values.min())
    return F.interpolate(maps, size[::-1], mode="bilinear", align_corners=False).numpy()


@LEAF
@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn"])
def test_against_grad_cam(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which scales each channel of a layer to [0, 1] by itself, where the authors scale the layer."""
    network, x = subject(name).at((64, 64)), sample_pixels("cat", 64).double()
    assert not network.mean.any()  # the peer does not see the bias that pixels' normalisation brings
    actual = explain("full_grad", network, x, score=Score(CAT)).values
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it takes all layers
        assert apart(actual, of_grad_cam(grad_cam.FullGrad, network, x, target=CAT)) > 0.05
        monkeypatch.setattr(fullgrad_cam, "scale_accross_batch_and_channels", scaled_together)
        assert apart(actual, of_grad_cam(grad_cam.FullGrad, network, x, target=CAT)) < CLOSE


@pytest.mark.parametrize("activation", [nn.ReLU6(), nn.SiLU(), nn.GELU(), nn.Hardswish(inplace=True), nn.Softplus()])
@pytest.mark.parametrize("score", [Score(1), Score(1, "probability"), Score(1, "log_probability"), Score(0, against=1)])
def test_sums_to_the_score(activation: nn.Module, score: Score) -> None:
    """Also of activations with a bias of their own, and of a score that bends: what it adds lies at no place."""
    network = wrap(Tiny(activation, seed=5), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4)).double()
    x = 9 * random_picture().double()  # so that ReLU6 saturates
    found = explain("full_grad", network, x, score=score).diagnostics
    assert found["completeness"]["expected"] == pytest.approx(float(score(network(x[None])).detach()), rel=1e-12)
    assert complete(found["completeness"], below=1e-10)
    assert (found["gradient_evaluations"], found["forward_evaluations"]) == (1, 1)
    assert any(bias.layer == "activation" for bias in full_gradient(network, x, score).biases)


def test_in_float32() -> None:
    assert complete(
        explain("full_grad", model("lite0"), sample_pixels("cat"), score=Score(CAT)).diagnostics["completeness"]
    )


def test_layers_with_their_channels_last() -> None:
    network, x = classifier("convnext_atto", 64), random_picture(64)
    parts = full_gradient(network, x, Score(CAT))
    widths = {as_map(bias.values, x).shape[1] for bias in parts.biases if as_map(bias.values, x) is not None}  # type: ignore[union-attr]
    assert widths == {3, 40, 80, 160, 320, 640, 1280} & widths
    assert len(widths) > 4
    assert as_map(torch.zeros(1, 4, 4, 9), x) is not None
    assert as_map(torch.zeros(1, 4, 4, 9), x).shape == (1, 9, 4, 4)  # type: ignore[union-attr]
    assert [as_map(torch.zeros(shape), x) for shape in ((1, 9), (1, 16, 9), (1, 9, 1, 1), (1, 9, 2, 8))] == [None] * 4


def test_a_layer_whose_values_are_all_the_same_adds_nothing() -> None:
    assert not scaled(torch.full((1, 2, 3, 3), -4.0)).any()
    assert scaled(torch.tensor([[[[-4.0, 2.0, 0.0]]]])).flatten().tolist() == [1, 0.5, 0]


def test_a_module_under_two_names_counts_once() -> None:
    class Twice(Tiny):
        def __init__(self) -> None:
            super().__init__(nn.SiLU(), seed=5)
            self.again = nn.Sequential(self.activation)

    assert complete(explain("full_grad", wrap(Twice()).double(), random_picture().double()).diagnostics["completeness"])


class Shifted(Tiny):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0.3


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Tiny(F.silu, seed=5), r"in no layer\. This model computes 2 × silu \(no module\) outside its layers\. Take"),
        (Shifted(seed=5), r"in no layer\. Take integrated gradients"),
    ],
)
def test_refused_where_a_bias_is_in_no_layer(network: nn.Module, reason: str) -> None:
    method, made = find_method("full_grad"), wrap(network)
    for _ in range(2):  # the second time from what is known
        with pytest.raises(Refused, match=reason):
            method.check(made, method.Parameters())


def test_a_sum_that_is_off_at_the_picture_gives_no_map() -> None:
    """The noise picture of the trial saturates nothing, this one does, in a function that is no layer."""

    class Saturated(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).clamp(-40, 40)

    with pytest.raises(ComputationFailed, match=r"some bias is in no layer. No map is shown"):
        explain("full_grad", wrap(Saturated(seed=5)), 1e4 * random_picture())


@pytest.mark.parametrize(
    "build", [lambda: nn.LayerNorm([6, 8, 8]), lambda: nn.GroupNorm(2, 6), lambda: nn.InstanceNorm2d(6)]
)
def test_normalisations_by_the_pictures_own_statistics(build: Callable[[], nn.Module]) -> None:
    network = wrap(Tiny(seed=5))
    network.network.first = nn.Sequential(network.network.first, build())  # type: ignore[assignment]
    assert complete(explain("full_grad", network.double(), random_picture().double()).diagnostics["completeness"], 1e-8)


def test_a_layers_channels_are_not_enlarged_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of maps of the picture's size would take gigabytes; their sum at the layer's size takes none."""
    from gradoscope.attribution.methods import full_grad

    plain, channels = full_grad.enlarged, []

    def enlarged(map: Tensor, picture: Tensor) -> Tensor:
        channels.append(map.shape[1])
        return plain(map, picture)

    monkeypatch.setattr(full_grad, "enlarged", enlarged)
    explain("full_grad", model("lite0"), random_picture(64), score=Score(1))
    assert channels
    assert set(channels) == {1}
