"""A saturated unit against formulas written out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from gradoscope.lab.experiments.saturation import SaturationParameters
from gradoscope.lab.experiments.saturation.unit import loss_of
from pydantic import ValidationError

from tests.support.lab import figure, result, verdicts


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def test_the_squared_error_carries_the_slope() -> None:
    a = sigmoid(4)
    found = result("saturation")
    assert found.numbers["first_gradient"] == pytest.approx(a * a * (1 - a), rel=1e-12)
    assert found.numbers["first_slope"] == pytest.approx(a * (1 - a), rel=1e-12)
    assert verdicts(found) == {"wrong_first": "fails", "saturated": "holds", "exact": "holds", "sooner": "holds"}


@pytest.mark.parametrize(("activation", "expected"), [("sigmoid", sigmoid(4)), ("tanh", math.tanh(4) + 1)])
def test_with_cross_entropy_the_gradient_is_the_error(activation: str, expected: float) -> None:
    found = result("saturation", activation=activation, loss="cross_entropy")
    assert found.numbers["first_gradient"] == pytest.approx(expected, rel=1e-14)
    assert found.numbers["gradients"] == pytest.approx(found.numbers["errors"][:-1], rel=1e-12)
    assert verdicts(found)["wrong_first"] == verdicts(found)["exact"] == "holds"


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_the_descent_is_the_one_written_by_hand(loss: str) -> None:
    weight, bias, errors = 2.0, 2.0, []
    for _ in range(50):
        a = sigmoid(weight + bias)
        errors.append(a)
        gradient = a if loss == "cross_entropy" else a * a * (1 - a)
        weight, bias = weight - 0.5 * gradient, bias - 0.5 * gradient
    found = result("saturation", loss=loss, rate=0.5, steps=50).numbers
    assert found["errors"] == pytest.approx([*errors, sigmoid(weight + bias)], rel=1e-10)


def test_it_starts_slowly_where_it_is_most_wrong() -> None:
    errors = result("saturation").numbers["errors"]
    crossed = result("saturation", loss="cross_entropy").numbers["errors"]
    assert errors[0] == crossed[0] > 0.98
    assert errors[0] - errors[20] < 0.01
    assert crossed[0] - crossed[20] > 0.5


def test_the_gradient_over_the_error_is_a_line_or_falls_again() -> None:
    drawn = figure(result("saturation"), "gradients")
    squared, crossed = drawn.series
    assert crossed.y == pytest.approx(crossed.x, rel=1e-9)
    assert squared.y == pytest.approx([e * e * (1 - e) for e in squared.x], rel=1e-9)
    assert squared.y[-1] < 0.01 < max(squared.y)


def test_the_curve_shows_the_place_and_the_slope() -> None:
    function, derivative, start = figure(result("saturation", activation="tanh"), "curve").series
    assert function.y == pytest.approx([math.tanh(z) for z in function.x], rel=1e-12)
    assert derivative.y == pytest.approx([1 - math.tanh(z) ** 2 for z in function.x], abs=1e-12)
    assert start.x == [4.0, 4.0]
    assert start.y == pytest.approx([math.tanh(4), 1 - math.tanh(4) ** 2], rel=1e-9)


def test_a_dead_relu_has_no_gradient() -> None:
    found = result("saturation", activation="relu", weight=-3.0, bias=1.0)
    assert found.numbers["first_gradient"] == 0
    assert set(found.numbers["errors"]) == {0.0}


def test_a_linear_unit_at_too_high_a_rate_says_none() -> None:
    found = result("saturation", activation="linear", rate=10.0, steps=2000)
    assert found.numbers["errors"][-1] is None
    assert "sooner" not in verdicts(found)


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_cross_entropy_needs_a_bounded_unit(activation: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        SaturationParameters(activation=activation, loss="cross_entropy")
    assert refused.value.errors()[0]["loc"] == ("loss",)


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"steps": 0}, {"weight": 21.0}, {"bias": -21.0}])
def test_bad_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        SaturationParameters(**wrong)
    assert refused.value.errors()[0]["loc"] == (next(iter(wrong)),)


@pytest.mark.parametrize(
    ("activation", "loss"),
    [("sigmoid", "squared"), ("tanh", "squared"), ("relu", "squared"), ("linear", "squared"),
     ("sigmoid", "cross_entropy"), ("tanh", "cross_entropy")],
)  # fmt: skip
@pytest.mark.parametrize("start", [-1.5, 1.0])
def test_the_steps_are_those_of_autograd_and_an_optimiser(activation: Any, loss: str, start: float) -> None:
    both = torch.tensor([start, start / 2], dtype=torch.float64, requires_grad=True)
    rule = torch.optim.SGD([both], lr=0.2)
    gradients = []
    for _ in range(40):
        rule.zero_grad()
        loss_of(activation, loss, both.sum()).backward()  # type: ignore[no-untyped-call]
        assert both.grad is not None
        gradients.append(float(both.grad[0]))
        rule.step()
    asked = {"activation": activation, "loss": loss, "weight": start, "bias": start / 2, "rate": 0.2, "steps": 40}
    assert result("saturation", **asked).numbers["gradients"] == pytest.approx(gradients, rel=1e-9, abs=1e-14)


def test_a_unit_far_out_overflows_nothing() -> None:
    for sign in (-1, 1):
        found = result("saturation", weight=20.0 * sign, bias=20.0 * sign, rate=10.0, steps=2000).numbers
        assert all(number is not None for number in found["errors"])


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_the_gradient_of_cross_entropy_is_exact_far_out_too(activation: str) -> None:
    found = result("saturation", activation=activation, weight=8, bias=4, rate=0.01, steps=50)
    assert verdicts(found)["exact"] == "holds"
    (numbers,) = [each.numbers for each in found.findings if each.id == "exact"]
    assert numbers["gap"] <= 1e-15
