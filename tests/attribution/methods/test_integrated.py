"""Integrated gradients of scores whose integrals can be written down: every rule, baseline and tolerance."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.score import Score
from pydantic import ValidationError

from tests.support.nets import Keeping, Linear, Quadratic, Sine, Tiny, complete, explain, random_picture, relative, wrap

RULES = ("geometric", "gauss_legendre", "midpoint")
BASELINES = ("black", "white", "mean", "blurred", "noise")
IG = "integrated_gradients"
MICRO_BATCHES = (1, 2, 3, 5, 8, 13, 16, 17)  # some divide the steps, some do not; a sweep has 16 steps at least


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("baseline", BASELINES)
def test_linear_score(rule: str, baseline: str) -> None:
    """W ⊙ (x − x′) at any number of steps, whatever the micro-batch."""
    network, x = Linear(), random_picture(seed=4)
    expected = network.weight[0] * (x - make_baseline(baseline, x, seed=5))
    options = {"rule": rule, "baseline": baseline, "seed": 5}
    for size in MICRO_BATCHES:
        for steps in (size, 9):
            actual = explain(IG, wrap(network), x, steps=steps, micro_batch=size, **options)
            assert torch.allclose(actual.values, expected, atol=1e-5)
            assert complete(actual.diagnostics["completeness"])
            assert actual.diagnostics["gradient_evaluations"] == steps


@pytest.mark.parametrize("rule", ["geometric", "midpoint"])
@pytest.mark.parametrize("baseline", BASELINES)
def test_linear_score_with_a_tolerance(rule: str, baseline: str) -> None:
    """Nothing changes from the first sweep to the second, so there it ends; with steps for one only it cannot tell."""
    network, x = Linear(), random_picture(seed=4)
    expected = network.weight[0] * (x - make_baseline(baseline, x, seed=5))
    options = {"rule": rule, "baseline": baseline, "seed": 5, "tolerance": 1e-4}
    for size in MICRO_BATCHES:
        for steps, used in ((size, size), (50, 25), (2000, 31)):
            actual = explain(IG, wrap(network), x, steps=steps, micro_batch=size, **options)
            assert torch.allclose(actual.values, expected, atol=1e-5)
            assert actual.diagnostics["gradient_evaluations"] == used
            assert actual.diagnostics["converged"] == (used > 16)
            assert (actual.diagnostics["change"] is None) == (used < 17)


@pytest.mark.parametrize(
    ("rule", "few", "below"), [("gauss_legendre", 1, 2e-6), ("midpoint", 1, 2e-6), ("geometric", 60, 1e-3)]
)
@pytest.mark.parametrize("baseline", BASELINES)
def test_quadratic_score(rule: str, few: int, below: float, baseline: str) -> None:
    """(x − x′)(a(x + x′) + b): Gauss and the midpoint are exact for it with one step."""
    network, x = Quadratic(), random_picture(seed=4)
    start = make_baseline(baseline, x, seed=0)
    expected = (x - start) * (network.square[2] * (x + start) + network.weight[2])
    for steps, size in ((few, 1), (few + 1, 17), (few + 50, 7), (200, 16)):
        options = {"steps": steps, "rule": rule, "baseline": baseline, "micro_batch": size}
        actual = explain(IG, wrap(network), x, score=Score(2), **options)
        assert relative(actual.values, expected) < below
        assert complete(actual.diagnostics["completeness"], 10 * below)


@pytest.mark.parametrize(
    ("rule", "steps", "below"), [("gauss_legendre", 12, 1e-6), ("midpoint", 400, 1e-5), ("geometric", 400, 1e-4)]
)
def test_sine(rule: str, steps: int, below: float) -> None:
    """sin(a x) − sin(a x′) at each pixel, as PAIR saliency's tests have it."""
    network, x = Sine(), random_picture()
    actual = explain(IG, wrap(network).double(), x.double(), steps=steps, rule=rule)
    assert relative(actual.values, (3 * network.weight[0] * x.double()).sin()) < below


@pytest.mark.parametrize("rule", ["geometric", "midpoint"])
def test_sine_with_a_tolerance(rule: str) -> None:
    """What is left of the error is about the change that was reached; a wider tolerance takes fewer gradients."""
    network, x = Sine(), random_picture().double()
    exact, needed = (3 * network.weight[0] * x).sin(), []
    for tolerance in (1e-1, 1e-2, 1e-3):
        actual = explain(IG, wrap(network).double(), x, steps=2000, rule=rule, tolerance=tolerance)
        assert actual.diagnostics["converged"]
        assert actual.diagnostics["change"] <= tolerance
        assert relative(actual.values, exact) < 2 * tolerance
        assert abs(actual.diagnostics["completeness"]["relative_error"]) <= tolerance
        needed.append(actual.diagnostics["gradient_evaluations"])
    assert needed == sorted(needed)
    assert needed[0] < needed[2]


def test_gradients_are_taken_where_the_rule_says() -> None:
    """α = (11ᵘ − 1)/10 with u at the middles of equal cells: the first step from black covers 1/20 of the path."""
    network, x = Keeping(), random_picture()
    explain(IG, wrap(network), x, steps=4)
    alphas = [(11 ** ((i + 0.5) / 4) - 1) / 10 for i in (0, 2, 1, 3)]
    assert torch.allclose(torch.stack(network.shown), torch.stack([alpha * x for alpha in alphas]), atol=1e-6)


def test_gauss_takes_no_tolerance() -> None:
    with pytest.raises(ValidationError, match="tolerance needs rule"):
        find_method(IG).Parameters(rule="gauss_legendre", tolerance=0.1)
    assert find_method(IG).Parameters(rule="gauss_legendre", tolerance=0.0).tolerance == 0


@pytest.mark.parametrize(("baseline", "value"), [("white", 1.0), ("mean", 0.25), ("blurred", 0.25)])
def test_picture_that_is_its_baseline_gives_zeros(baseline: str, value: float) -> None:
    actual = explain(IG, wrap(Tiny()), torch.full((3, 8, 8), value), steps=3, baseline=baseline)
    assert float(actual.values.abs().max()) < 1e-7
    assert actual.diagnostics["completeness"]["relative_error"] is None


def test_seed_takes_part_only_with_the_noise_baseline() -> None:
    method = find_method(IG)
    assert [method.stochastic(method.Parameters(baseline=kind)) for kind in BASELINES] == [False] * 4 + [True]
