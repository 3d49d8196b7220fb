"""SmoothGrad against a naive loop with the same noise, and against moments that can be written down."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.smooth_grad import mirrored
from gradoscope.attribution.noise import noise
from pydantic import ValidationError
from torch import Tensor

from tests.support.nets import (
    Linear,
    Quadratic,
    Tiny,
    explain,
    finish,
    gradient,
    random_picture,
    relative,
    steps_of,
    wrap,
)

VARIANTS = ("mean", "squared", "variance")


def naive(network: Tiny, x: Tensor, samples: int, share: float, seed: int) -> dict[str, Tensor]:
    """Pairs of opposite noise for the mean, independent noise for the others."""
    deviation = share * (x.max() - x.min())
    pairs = [(-1) ** k * noise(seed, k // 2, x.shape) for k in range(samples)]
    singles = [noise(seed, k, x.shape) for k in range(samples)]
    paired, gradients = (
        torch.stack([gradient(network, x + deviation * drawn, lambda y: y[:, 0]) for drawn in noises])
        for noises in (pairs, singles)
    )
    return {
        "mean": paired.mean(0),
        "squared": gradients.square().mean(0),
        "variance": gradients.var(0, correction=0),
    }


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("samples", [2, 7])
def test_variants(variant: str, samples: int) -> None:
    """The variance is the population's."""
    network, x = wrap(Tiny()).double(), (random_picture(seed=1) * 0.5 + 0.2).double()
    actual = explain("smooth_grad", network, x, samples=samples, noise=0.3, variant=variant, seed=9)
    assert relative(actual.values, naive(network, x, samples, share=0.3, seed=9)[variant]) < 1e-10
    assert actual.diagnostics["gradient_evaluations"] == samples


def test_standard_error_by_hand() -> None:
    """Of the mean over its pairs, which are independent, and of the squares over single samples; with NumPy."""
    network, x = wrap(Tiny()).double(), random_picture(seed=1).double()
    deviation = 0.3 * float(x.max() - x.min())

    def at(drawn: Tensor) -> np.ndarray:
        return gradient(network, x + deviation * drawn, lambda y: y[:, 0]).numpy().ravel()

    noises = [noise(9, k, x.shape) for k in range(6)]
    pairs = np.array([(at(drawn) + at(-drawn)) / 2 for drawn in noises[:3]])
    squares = np.array([at(drawn) ** 2 for drawn in noises])
    for variant, drawn in (("mean", pairs), ("squared", squares)):
        expected = np.sqrt((drawn.var(0, ddof=1) / len(drawn)).sum()) / np.linalg.norm(drawn.mean(0))
        actual = explain("smooth_grad", network, x, samples=6, noise=0.3, variant=variant, seed=9).diagnostics
        assert actual["standard_error"] == pytest.approx(expected, rel=1e-9)
    odd = explain("smooth_grad", network, x, samples=7, noise=0.3, seed=9).diagnostics
    mean = np.sqrt((pairs.var(0, ddof=1) / 3).sum()) / np.linalg.norm(pairs.mean(0))
    assert odd["standard_error"] == pytest.approx(mean, rel=1e-9)
    assert "standard_error" not in explain("smooth_grad", network, x, samples=6, variant="variance").diagnostics
    assert explain("smooth_grad", network, x, samples=3).diagnostics["standard_error"] is None
    assert explain("smooth_grad", network, x, samples=8, noise=0.0).diagnostics["standard_error"] == 0


def test_standard_error_is_how_far_seeds_are_apart() -> None:
    """Over 30 seeds: root mean square distance from their common mean, relative to it."""
    network, x = wrap(Tiny()), random_picture(seed=1)
    options = {"samples": 12, "noise": 0.3, "micro_batch": 12}
    attributions = [explain("smooth_grad", network, x, seed=seed, **options) for seed in range(30)]
    maps = np.array([one.values.numpy().ravel() for one in attributions])
    spread = np.sqrt(maps.var(0, ddof=1).sum()) / np.linalg.norm(maps.mean(0))
    reported = [one.diagnostics["standard_error"] for one in attributions]
    assert np.sqrt(np.mean(np.square(reported))) == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_micro_batch_does_not_matter(variant: str) -> None:
    network, x = wrap(Tiny()).double(), random_picture().double()
    options = {"samples": 13, "noise": 0.2, "variant": variant, "seed": 3}
    one = explain("smooth_grad", network, x, micro_batch=1, **options).values
    for size in range(2, 18):
        assert relative(explain("smooth_grad", network, x, micro_batch=size, **options).values, one) < 1e-12


@pytest.mark.parametrize("samples", [2, 8, 50])
def test_pairs_are_exact_for_a_quadratic_score(samples: int) -> None:
    """Its gradient is linear in the noise, so that opposite noise cancels: the mean is the gradient at the picture."""
    network, x = wrap(Quadratic()).double(), random_picture().double()
    actual = explain("smooth_grad", network, x, samples=samples, noise=0.5).values
    assert relative(actual, explain("vanilla_gradient", network, x).values) < 1e-12
    odd = explain("smooth_grad", network, x, samples=samples + 1, noise=0.5).values
    assert relative(odd, explain("vanilla_gradient", network, x).values) > 1e-4


def test_moments_of_a_quadratic_score() -> None:
    """g = 2 a (x + ε) + b has the variance 4 a² d², and the mean square of it on top: the noise is normal."""
    network, x = Quadratic(), random_picture()
    deviation = 0.1 * float(x.max() - x.min())
    spread = (2 * deviation * network.square[0]) ** 2
    mean = 2 * network.square[0] * x + network.weight[0]
    options = {"samples": 2000, "noise": 0.1, "micro_batch": 16}
    variance = explain("smooth_grad", wrap(network), x, variant="variance", **options).values
    squared = explain("smooth_grad", wrap(network), x, variant="squared", **options).values
    assert relative(variance, spread) < 3 * (2 / 2000) ** 0.5
    assert relative(squared, mean**2 + spread) < 0.02


def test_noise_is_mirrored_and_normal() -> None:
    drawn = torch.stack(list(mirrored(lambda k: noise(5, k, (3, 40, 40)), 6)))
    assert torch.equal(drawn[1::2], -drawn[::2])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(drawn[4], noise(5, 2, (3, 40, 40)))
    assert float(drawn[::2].mean()) == pytest.approx(0, abs=0.03)
    assert float(drawn[::2].std()) == pytest.approx(1, abs=0.03)


def test_no_noise_is_the_gradient() -> None:
    network, x = wrap(Tiny()).double(), random_picture().double()
    expected = explain("vanilla_gradient", network, x).values
    mean, squared, variance = (
        explain("smooth_grad", network, x, noise=0.0, samples=50, micro_batch=1, variant=variant).values
        for variant in VARIANTS
    )
    assert torch.equal(mean, expected)
    assert relative(squared, expected**2) < 1e-14
    assert not variance.any()
    assert relative(explain("smooth_grad", network, x, noise=0.0, samples=11).values, expected) < 1e-15


@pytest.mark.parametrize("samples", [2, 50, 333])
def test_variance_of_a_linear_score_is_zero(samples: int) -> None:
    """Exactly: a remainder of rounding would be drawn as a map, whose scale is its own largest value."""
    x = random_picture()
    assert not explain("smooth_grad", wrap(Linear()), x, samples=samples, variant="variance").values.any()


def test_constant_picture_has_no_range_and_so_no_noise() -> None:
    network, x = wrap(Tiny()), torch.full((3, 8, 8), 0.4)
    expected = explain("vanilla_gradient", network, x).values
    assert relative(explain("smooth_grad", network, x, samples=4).values, expected) < 1e-6


def test_variance_needs_two_samples() -> None:
    with pytest.raises(ValidationError, match="samples"):
        explain("smooth_grad", wrap(Tiny()), random_picture(), samples=1, variant="variance")


def test_seed_takes_part_only_with_noise() -> None:
    method = find_method("smooth_grad")
    assert method.stochastic(method.Parameters(noise=0.1))
    assert not method.stochastic(method.Parameters(noise=0.0))
    network, x = wrap(Tiny()), random_picture()
    maps = [explain("smooth_grad", network, x, samples=3, seed=seed).values for seed in (0, 0, 1)]
    assert torch.equal(maps[0], maps[1])
    assert not torch.equal(maps[0], maps[2])


def test_estimates_on_the_way() -> None:
    network, x = wrap(Tiny()).double(), random_picture().double()
    yielded, attribution = finish(steps_of("smooth_grad", network, x, samples=10, noise=0.2))
    assert [(step.done, step.total) for step in yielded] == [(4, 10), (8, 10), (10, 10)]
    assert relative(yielded[0].estimate, naive(network, x, samples=4, share=0.2, seed=0)["mean"]) < 1e-12
    assert torch.equal(yielded[-1].estimate, attribution.values)
