"""GradientSHAP against a naive loop with the same draws, and where it can be written down."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.noise import generator
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

SHAP = "gradient_shap"
BASELINES = ("black", "white", "mean", "blurred", "noise")


def naive(network: Tiny, x: Tensor, samples: int, kind: str, seed: int) -> tuple[Tensor, float]:
    """The mean over samples one by one, and what it should sum to."""
    values, expected = torch.zeros_like(x), 0.0
    for k in range(samples):
        baseline = make_baseline(kind, x, seed, k if kind == "noise" else 0)
        alpha = float(torch.rand((), generator=generator(seed, k, "alpha")))
        slope = gradient(network, baseline + alpha * (x - baseline), lambda y: y[:, 0])
        values += (x - baseline) * slope / samples
        expected += float(network(x[None])[0, 0] - network(baseline[None])[0, 0]) / samples
    return values, expected


@pytest.mark.parametrize("kind", BASELINES)
@pytest.mark.parametrize("samples", [1, 7])
def test_against_a_loop(kind: str, samples: int) -> None:
    network, x = wrap(Tiny()).double(), random_picture(seed=1).double()
    actual = explain(SHAP, network, x, samples=samples, baseline=kind, seed=9)
    values, expected = naive(network, x, samples, kind, seed=9)
    assert relative(actual.values, values) < 1e-12
    record = actual.diagnostics["completeness"]
    assert record["expected"] == pytest.approx(expected)
    assert record["attributed"] == pytest.approx(float(values.sum()))
    assert actual.diagnostics["gradient_evaluations"] == samples
    assert actual.diagnostics["forward_evaluations"] == (samples if kind == "noise" else 1) + 1


@pytest.mark.parametrize("kind", ["black", "noise"])
def test_standard_errors_by_hand(kind: str) -> None:
    """Of the map over its samples, and of its sum's error, r_k = Σ a_k − (S(x) − S(x′_k)); with NumPy."""
    network, x = wrap(Tiny()).double(), random_picture(seed=1).double()
    maps, errors = [], []
    with torch.no_grad():
        score = float(network(x[None])[0, 0])
    for k in range(6):
        values, change = naive_sample(network, x, k, kind, 9)
        maps.append(values.numpy().ravel())
        errors.append(maps[-1].sum() - change)
    spread = np.sqrt((np.var(maps, 0, ddof=1) / 6).sum()) / np.linalg.norm(np.mean(maps, 0))
    actual = explain(SHAP, network, x, samples=6, baseline=kind, seed=9).diagnostics
    assert actual["standard_error"] == pytest.approx(spread, rel=1e-9)
    record = actual["completeness"]
    error = np.std(errors, ddof=1) / 6**0.5 / abs(record["expected"])
    assert record["standard_error"] == pytest.approx(error, rel=1e-6)
    assert score  # the change is not that of a dead network
    alone = explain(SHAP, network, x, samples=1, baseline=kind).diagnostics
    assert alone["standard_error"] is None
    assert "standard_error" not in alone["completeness"]


def naive_sample(network: Tiny, x: Tensor, k: int, kind: str, seed: int) -> tuple[Tensor, float]:
    """Sample k's own map, and the change of the score that it should sum to."""
    baseline = make_baseline(kind, x, seed, k if kind == "noise" else 0)
    alpha = float(torch.rand((), generator=generator(seed, k, "alpha")))
    slope = gradient(network, baseline + alpha * (x - baseline), lambda y: y[:, 0])
    return (x - baseline) * slope, float(network(x[None])[0, 0] - network(baseline[None])[0, 0])


@pytest.mark.parametrize("kind", BASELINES)
def test_micro_batch_does_not_matter(kind: str) -> None:
    network, x = wrap(Tiny()).double(), random_picture().double()
    options = {"samples": 13, "baseline": kind, "seed": 3}
    one = explain(SHAP, network, x, micro_batch=1, **options)
    for size in range(2, 15):
        actual = explain(SHAP, network, x, micro_batch=size, **options)
        assert relative(actual.values, one.values) < 1e-12
        assert actual.diagnostics == {
            **one.diagnostics,
            "completeness": pytest.approx(one.diagnostics["completeness"], rel=1e-9),
            "standard_error": pytest.approx(one.diagnostics["standard_error"], rel=1e-9),
        }


@pytest.mark.parametrize("kind", BASELINES)
def test_linear_score_is_complete_with_any_samples(kind: str) -> None:
    """W ⊙ (x − mean of the baselines): it does not matter which α the samples draw."""
    network, x = Linear(), random_picture(seed=4)
    actual = explain(SHAP, wrap(network), x, samples=3, baseline=kind, seed=5)
    baselines = [make_baseline(kind, x, seed=5, index=k if kind == "noise" else 0) for k in range(3)]
    assert torch.allclose(actual.values, network.weight[0] * (x - sum(baselines) / 3), atol=1e-5)
    record = actual.diagnostics["completeness"]
    assert record["attributed"] == pytest.approx(record["expected"], rel=1e-4)


def test_quadratic_score_converges_to_its_integral() -> None:
    """(x − x′)(a(x + x′) + b) in expectation; the error falls like 1/√samples."""
    network, x = Quadratic(), random_picture(seed=4)
    expected = x * (network.square[0] * x + network.weight[0])
    few, many = (
        relative(explain(SHAP, wrap(network), x, samples=n, baseline="black", micro_batch=50).values, expected)
        for n in (20, 2000)
    )
    assert many < 0.02
    assert many < few / 3


def test_every_sample_draws_its_own_alpha_and_noise() -> None:
    shown: list[Tensor] = []

    class Keeping(Linear):
        def forward(self, x: Tensor) -> Tensor:
            if x.requires_grad:
                shown.extend(x.detach())
            return super().forward(x)

    x = random_picture()
    explain(SHAP, wrap(Keeping()), x, samples=40, baseline="black")
    places = torch.stack([(picture / x).mean() for picture in shown])
    assert len(set(places.tolist())) == 40
    assert 0 <= float(places.min()) < 0.15
    assert 0.85 < float(places.max()) <= 1
    assert float(places.mean()) == pytest.approx(0.5, abs=0.15)
    shown.clear()
    explain(SHAP, wrap(Keeping()), torch.zeros(3, 8, 8), samples=5)  # (1 − α) times each one's noise
    directions = torch.stack([picture.flatten() / picture.norm() for picture in shown])
    assert float((directions @ directions.mT - torch.eye(5)).max()) < 0.95


def test_seed_always_takes_part() -> None:
    method = find_method(SHAP)
    assert all(method.stochastic(method.Parameters(baseline=kind)) for kind in BASELINES)
    network, x = wrap(Tiny()), random_picture()
    for kind in BASELINES:
        maps = [explain(SHAP, network, x, samples=3, baseline=kind, seed=seed).values for seed in (0, 0, 1)]
        assert torch.equal(maps[0], maps[1])
        assert not torch.equal(maps[0], maps[2])


def test_estimates_on_the_way() -> None:
    network, x = wrap(Tiny()).double(), random_picture().double()
    yielded, attribution = finish(steps_of(SHAP, network, x, samples=10))
    assert [(step.done, step.total) for step in yielded] == [(4, 10), (8, 10), (10, 10)]
    assert relative(yielded[0].estimate, naive(network, x, samples=4, kind="noise", seed=0)[0]) < 1e-12
    assert torch.equal(yielded[-1].estimate, attribution.values)


@pytest.mark.parametrize("samples", [0, 2001])
def test_bounds(samples: int) -> None:
    with pytest.raises(ValidationError, match="samples"):
        explain(SHAP, wrap(Tiny()), random_picture(), samples=samples)
