"""The integrator: micro-batches, estimates on the way, completeness, tolerance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradoscope.attribution.errors import ComputationFailed
from gradoscope.attribution.methods.paths import completeness, relative_change
from torch import Tensor

from tests.support.nets import Linear, Tiny, explain, finish, gradient, random_picture, relative, steps_of, wrap

IG, BLUR = "integrated_gradients", "blur_integrated_gradients"


@pytest.mark.parametrize("method", [IG, BLUR])
@pytest.mark.parametrize("tolerance", [0.0, 0.2, 1e-9])
def test_micro_batch_does_not_matter(method: str, tolerance: float) -> None:
    network, x = wrap(Tiny()).double(), random_picture().double()
    options = {"steps": 39, "tolerance": tolerance}
    one = explain(method, network, x, micro_batch=1, **options)
    for size in range(2, 18):
        actual = explain(method, network, x, micro_batch=size, **options)
        assert relative(actual.values, one.values) < 1e-12
        assert actual.diagnostics["gradient_evaluations"] == one.diagnostics["gradient_evaluations"]
        assert actual.diagnostics.get("converged") == one.diagnostics.get("converged")


@pytest.mark.parametrize("method", [IG, BLUR])
def test_estimates_on_the_way(method: str) -> None:
    """They count honestly, end with the map, and are scaled to the whole path."""
    network, x = Linear(), random_picture()
    yielded, attribution = finish(steps_of(method, wrap(network), x, steps=10))
    assert [(step.done, step.total) for step in yielded] == [(4, 10), (8, 10), (10, 10)]
    assert torch.equal(yielded[-1].estimate, attribution.values)
    if method == IG:
        assert torch.allclose(yielded[0].estimate, network.weight[0] * x, atol=1e-5)


@pytest.mark.parametrize("method", [IG, BLUR])
def test_estimates_between_sweeps(method: str) -> None:
    """39 steps: sweeps of 10, 9 and 18, each ended by a micro-batch of its own; the first to converge is the last."""
    network, x = wrap(Tiny()), random_picture()
    yielded, attribution = finish(steps_of(method, network, x, steps=39, tolerance=1e-9))
    assert [step.done for step in yielded] == [4, 8, 10, 14, 18, 19, 23, 27, 31, 35, 37]
    assert {step.total for step in yielded} == {37}
    assert torch.equal(yielded[-1].estimate, attribution.values)
    change = relative_change(yielded[5].estimate.double(), attribution.values.double())
    assert attribution.diagnostics["change"] == pytest.approx(change, rel=1e-4)
    assert attribution.diagnostics["converged"] is False
    yielded, attribution = finish(steps_of(method, network, x, steps=39, tolerance=1.0))
    assert yielded[-1].done == attribution.diagnostics["gradient_evaluations"] == 19
    assert attribution.diagnostics["converged"] is True


@pytest.mark.parametrize("method", [IG, BLUR])
def test_tolerance_holds_for_completeness_too(method: str) -> None:
    """A score that jumps has no gradient there: the map stands still, but does not sum to the score's change."""

    class Jump(Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 100 * (x.mean((1, 2, 3)) > 0.1)[:, None]

    x = random_picture()
    actual = explain(method, wrap(Jump()), x, steps=100, tolerance=0.01).diagnostics
    assert actual["change"] < 1e-3
    assert abs(actual["completeness"]["relative_error"]) > 0.5
    assert actual["converged"] is False
    assert actual["gradient_evaluations"] > 90


def test_without_a_tolerance_nothing_is_said_of_convergence() -> None:
    for method in (IG, BLUR):
        assert set(explain(method, wrap(Tiny()), random_picture(), steps=3).diagnostics) == {
            "gradient_evaluations",
            "completeness",
            "error_estimate",
        }


@pytest.mark.parametrize("steps", [8, 50, 51])
def test_error_estimate_by_hand(steps: int) -> None:
    """Two maps of every other gradient, with NumPy: half their distance, and the errors of their sums."""
    network, x = wrap(Tiny()).double(), random_picture().double()
    actual = explain(IG, network, x, steps=steps, rule="midpoint")
    places = (np.arange(steps) + 0.5) / steps
    slopes = np.array([gradient(network, place * x, lambda y: y[:, 0]).numpy() for place in places])
    one, other = (slopes[start::2].mean(0) * x.numpy() for start in (0, 1))
    estimate = np.linalg.norm(one - other) / 2 / np.linalg.norm(actual.values.numpy())
    assert actual.diagnostics["error_estimate"] == pytest.approx(estimate, rel=1e-9)
    record = actual.diagnostics["completeness"]
    errors = [(half.sum() - record["expected"]) / record["expected"] for half in (one, other)]
    assert record["half_error"] == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-6)


@pytest.mark.parametrize("method", [IG, BLUR])
def test_error_estimate_is_no_less_than_the_error(method: str) -> None:
    """Against the map of very many steps, on networks with many kinks."""
    for seed in range(2):
        network, x = wrap(Tiny(seed=seed), side=12), random_picture(side=12, seed=seed)
        exact = explain(method, network, x, steps=300, micro_batch=100).values
        for steps in (8, 20):
            actual = explain(method, network, x, steps=steps, micro_batch=20)
            assert actual.diagnostics["error_estimate"] > 0.7 * relative(actual.values, exact)


def test_error_estimate_of_few_steps_and_of_a_linear_score() -> None:
    x = random_picture()
    assert "error_estimate" not in explain(IG, wrap(Tiny()), x, steps=1).diagnostics
    assert explain(IG, wrap(Linear()), x, steps=7).diagnostics["error_estimate"] == pytest.approx(0, abs=1e-6)
    assert "error_estimate" not in explain(IG, wrap(Tiny()), x, steps=20, tolerance=0.1).diagnostics
    assert explain(IG, wrap(Tiny()), torch.zeros(3, 8, 8), steps=7).diagnostics["error_estimate"] is None


@pytest.mark.parametrize("method", [IG, BLUR])
def test_black_picture_converges_at_once(method: str) -> None:
    actual = explain(method, wrap(Tiny()), torch.zeros(3, 8, 8), steps=100, tolerance=0.01)
    assert not actual.values.any()
    assert actual.diagnostics["change"] == 0
    assert actual.diagnostics["converged"] is True


def test_relative_change() -> None:
    one, none = torch.ones(3, 2, 2), torch.zeros(3, 2, 2)
    assert relative_change(one, one) == relative_change(none, none) == 0
    assert relative_change(one, none) == 1
    assert relative_change(none, one) == 1
    assert relative_change(one, 2 * one) == pytest.approx(0.5)


@pytest.mark.parametrize("method", [IG, BLUR])
def test_black_picture_gives_zeros_and_no_relative_error(method: str) -> None:
    """The picture is its own baseline, and its own blur: nothing to share out, and no 0 / 0."""
    actual = explain(method, wrap(Tiny()), torch.zeros(3, 8, 8), steps=5)
    assert not actual.values.any()
    record = actual.diagnostics["completeness"]
    assert record["expected"] == record["attributed"] == 0
    assert record["relative_error"] is None
    assert "same score" in record["reason"]


def test_completeness() -> None:
    assert completeness(score=5, baseline_score=1, attributed=4.4) == {
        "expected": 4,
        "attributed": 4.4,
        "relative_error": pytest.approx(0.1),
    }
    below = completeness(score=1, baseline_score=5, attributed=-4.4)
    assert below["relative_error"] == pytest.approx(-0.1)  # signed: below what was expected
    assert completeness(score=100, baseline_score=99.1, attributed=0.9)["relative_error"] is None
    assert completeness(score=100, baseline_score=98.9, attributed=1.1)["relative_error"] == pytest.approx(0, abs=1e-9)
    assert completeness(score=-100, baseline_score=-99.1, attributed=0.9)["relative_error"] is None
    assert completeness(score=0, baseline_score=0, attributed=0)["reason"]
    assert completeness(score=1e-30, baseline_score=0, attributed=1e-30)["relative_error"] == pytest.approx(0)


def test_score_that_is_not_finite_fails() -> None:
    """The gradients on the way may be finite where the score at an end is not; a NaN must not get into the record."""

    class Edge(Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 0 * (x.detach() / x.detach().amax((1, 2, 3), keepdim=True)).sum()

    with pytest.raises(ComputationFailed):
        explain(IG, wrap(Edge()), random_picture(), steps=3)
