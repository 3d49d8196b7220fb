"""The check passes on the plain gradient, and on nothing else."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods.base import find_method
from gradoscope.pipeline.findings import findings
from torch import Tensor, nn

from tests.support.explained_maps import explained_map, measure
from tests.support.nets import Quadratic, Tiny, classifier, random_picture, wrap


@pytest.mark.parametrize("network", [Tiny(), Tiny(nn.SiLU(), seed=3), Quadratic()])
def test_the_gradient_passes(network: nn.Module) -> None:
    subject = explained_map(model=wrap(network), picture=random_picture(side=8))
    figures = measure("gradient_check", subject).figures
    assert figures["passed"]
    assert figures["relative_error"] < 1e-4
    assert figures["kinks"] == 0
    assert len(figures["slopes"]) == len(figures["expected"]) == 16
    assert subject.classifier.dtype == torch.float32


def test_slopes_of_a_closed_form() -> None:
    """Of y = Σ (a x² + b x) the slope along v is Σ (2 a x + b) v, and central differences have no error."""
    network, picture = Quadratic(), random_picture(side=8)
    subject = explained_map(model=wrap(network), picture=picture)
    figures = measure("gradient_check", subject, directions=3, step=0.01).figures
    exact = (2 * network.square[0] * picture + network.weight[0]).detach().double()
    for index, slope in enumerate(figures["expected"]):
        drawn = torch.randn((3, 8, 8), generator=_generator(index)).double()
        assert slope == pytest.approx(float((exact * drawn / drawn.norm()).sum()), rel=1e-6)


def _generator(index: int) -> torch.Generator:
    from gradoscope.attribution.noise import generator

    return generator(0, index)


@pytest.mark.parametrize("method", ["guided_backprop", "deconvolution", "input_x_gradient"])
def test_other_methods_fail(method: str) -> None:
    figures = measure("gradient_check", explained_map(method)).figures
    assert not figures["passed"]
    assert figures["relative_error"] > 0.1


def _scaled(values: Tensor) -> Tensor:
    return values * 1.05


def _swapped(values: Tensor) -> Tensor:
    return values.flip(0)


def _shifted(values: Tensor) -> Tensor:
    return values.roll(1, -1)


def _spotted(values: Tensor) -> Tensor:
    spoiled = values.clone()
    spoiled[0, 3, 3] += float(values.norm()) / 5
    return spoiled


@pytest.mark.parametrize("spoil", [_scaled, _swapped, _shifted, _spotted])
def test_a_spoiled_gradient_fails(spoil) -> None:
    subject = explained_map()
    figures = measure("gradient_check", explained_map(values=spoil(subject.values))).figures
    assert not figures["passed"]


def test_a_flat_score_passes_nothing() -> None:
    class Flat(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 0

    figures = measure("gradient_check", explained_map(model=wrap(Flat(), side=12))).figures
    assert figures["relative_error"] is None
    assert not figures["passed"]


def test_a_cam_is_refused() -> None:
    with pytest.raises(Refused, match="no gradient"):
        measure("gradient_check", explained_map("grad_cam"))


class Pooled(nn.Module):
    """Convolution, max pooling, and a linear layer: in a flat area all values under the pooling are equal."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = nn.Conv2d(3, 8, 3, padding=1)
            self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.functional.max_pool2d(self.first(x).relu(), 3, 2).mean((2, 3)))


def half_flat(side: int = 32) -> Tensor:
    """Noise on the left, one grey on the right."""
    picture = random_picture(side=side)
    picture[:, :, side // 2 :] = 0.5
    return picture


def codes_and_levels(figures, method: str = "vanilla_gradient") -> list[tuple[str, str]]:
    return [(found.code, found.level) for found in findings("gradient_check", figures, find_method(method))]


def test_slopes_ahead_and_behind_of_a_kink() -> None:
    """S = |Σ x − Σ 0.5|, at a grey picture: the slopes along v are ± |Σ v|; that of a right map lies between."""

    class Absolute(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x - 0.5).sum((1, 2, 3)).abs()[:, None] * torch.tensor([[1.0, 2.0]], dtype=x.dtype)

    model, picture = wrap(Absolute(), classes=2), torch.full((3, 8, 8), 0.5)
    for values, code in ((0.3 * torch.ones(3, 8, 8), "only_kinks"), (5 * torch.ones(3, 8, 8), "failed_at_kinks")):
        figures = measure("gradient_check", explained_map(model=model, picture=picture, values=values)).figures
        for ahead, behind, slope in zip(figures["ahead"], figures["behind"], figures["slopes"], strict=True):
            assert ahead == pytest.approx(-behind, rel=1e-6)
            assert abs(slope) == pytest.approx(float(values[0, 0, 0]) * abs(ahead), rel=1e-6)
        assert figures["kinks"] == 16
        assert figures["relative_error"] is None
        assert codes_and_levels(figures)[0][0] == f"gradient_check_{code}"


@pytest.mark.parametrize("picture", ["half", "flat"])
@pytest.mark.parametrize("seed", range(4))
def test_a_right_gradient_passes_on_flat_areas(picture: str, seed: int) -> None:
    x = half_flat() if picture == "half" else torch.full((3, 32, 32), 0.5)
    figures = measure("gradient_check", explained_map(model=wrap(Pooled(seed), side=32), picture=x)).figures
    assert figures["kinks"] >= 8
    assert figures["relative_error"] < 1e-4
    assert figures["passed"]
    assert codes_and_levels(figures) == [("gradient_check_kink", "note")]


@pytest.mark.parametrize("picture", ["half", "flat"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spoil", [_scaled, _swapped, lambda values: -values], ids=["scaled", "swapped", "negative"])
def test_a_wrong_gradient_fails_on_flat_areas_too(spoil, seed: int, picture: str) -> None:
    x = half_flat() if picture == "half" else torch.full((3, 32, 32), 0.5)
    subject = explained_map(model=wrap(Pooled(seed), side=32), picture=x)
    spoiled = explained_map(model=subject.classifier, picture=x, values=spoil(subject.values))
    figures = measure("gradient_check", spoiled).figures
    assert not figures["passed"]
    assert codes_and_levels(figures) == [("gradient_check_failed", "doubt")]


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", *(pytest.param(n, marks=pytest.mark.slow) for n in ("resnet18", "vgg11"))]
)
def test_networks_with_max_pooling_on_a_half_white_picture(name: str) -> None:
    picture = half_flat(64)
    picture[:, :, 32:] = 1
    subject = explained_map(model=classifier(name, 64), picture=picture)
    figures = measure("gradient_check", subject, directions=8).figures
    assert figures["kinks"]
    assert figures["passed"]
    assert codes_and_levels(figures) == [("gradient_check_kink", "note")]
    swapped = explained_map(model=subject.classifier, picture=picture, values=subject.values.flip(0))
    assert not measure("gradient_check", swapped, directions=8).figures["passed"]
