"""Differences against what calculus says of their errors."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from gradoscope.lab.experiments.gradient_check import GradientCheckParameters
from gradoscope.lab.experiments.gradient_check.schemes import difference, error, function, gradient
from pydantic import ValidationError

from tests.support.lab import figure, result, verdicts


def error_at(step: float, **parameters: Any) -> float:
    found: float = result("gradient_check", step=step, **parameters).numbers["errors"][repr(step)]
    return found


def test_sin_at_one_by_central_differences() -> None:
    assert error_at(1e-2) == pytest.approx(math.cos(1) * 1e-4 / 6, rel=1e-4)
    assert error_at(1e-2) == pytest.approx(9e-6, rel=0.01)
    assert 1e-6 < error_at(1e-12) < 1e-4


def test_the_quadratic_has_no_error_but_rounding() -> None:
    found = result("gradient_check", function="quadratic", step=1e-4).numbers
    assert found["gradient"] == [38.0, 12.0]
    assert found["error"] < 2e-11
    assert error_at(0.1, function="quadratic") < 1e-13


def test_each_scheme_has_its_order() -> None:
    assert error_at(1e-3, scheme="one_sided") == pytest.approx(math.sin(1) * 1e-3 / 2, rel=1e-2)
    assert error_at(1e-3, scheme="complex") == pytest.approx(math.cos(1) * 1e-6 / 6, rel=1e-4)
    slopes = {
        scheme: result("gradient_check", scheme=scheme).numbers["truncation_slope"]
        for scheme in ("one_sided", "central", "complex")
    }
    assert slopes == pytest.approx({"one_sided": 1, "central": 2, "complex": 2}, abs=0.3)


@pytest.mark.parametrize("scheme", ["one_sided", "central"])
def test_rounding_grows_as_the_step_shrinks(scheme: str) -> None:
    found = result("gradient_check", scheme=scheme)
    assert found.numbers["rounding_slope"] == pytest.approx(-1, abs=0.3)
    assert verdicts(found)["smaller"] == "fails"
    assert verdicts(found)["slopes"] == "holds"


def test_the_complex_step_may_be_as_small_as_you_like() -> None:
    found = result("gradient_check", scheme="complex", step=1e-20)
    assert found.numbers["error"] <= 1e-15
    assert verdicts(found)["smaller"] == "holds"


def test_float32_needs_a_far_larger_step() -> None:
    single, double = (result("gradient_check", precision=one).numbers for one in ("float32", "float64"))
    assert single["best_step"] > 20 * double["best_step"]
    assert single["best_error"] > 1000 * double["best_error"]


def test_a_kink_is_found_out() -> None:
    found = result("gradient_check", function="relu", scheme="one_sided")
    assert (found.numbers["from_right"], found.numbers["from_left"]) == (1.0, 0.0)
    assert found.numbers["gradient"] == [0.0]
    assert verdicts(found)["smooth"] == verdicts(found)["agrees"] == "fails"
    assert result("gradient_check", function="relu", scheme="central").numbers["error"] == pytest.approx(0.5)
    assert verdicts(result("gradient_check", function="relu", point=[1.0]))["smooth"] == "holds"
    assert verdicts(result("gradient_check"))["smooth"] == "holds"


def test_the_network_is_differentiated_by_the_chain_rule() -> None:
    f, x = function("network", 3), torch.tensor([0.5, -0.25, 1.0, 0.75], dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(8, 4, generator=generator, dtype=torch.float64) / 2
    readout = torch.randn(8, generator=generator, dtype=torch.float64) / 8**0.5
    expected = weight.T @ (readout * (1 - torch.tanh(weight @ x) ** 2))
    torch.testing.assert_close(gradient(f, x), expected, rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(difference(f, x, "complex", 1e-20), expected, rtol=1e-13, atol=1e-15)


def test_the_error_is_absolute_for_small_gradients_and_relative_for_large_ones() -> None:
    assert error(torch.tensor([0.5]), torch.tensor([0.25])) == 0.25
    assert error(torch.tensor([30.0, 45.0]), torch.tensor([30.0, 40.0])) == 5 / 50


def test_the_steps_that_are_asked_for_are_the_ones_told() -> None:
    found = result("gradient_check", step=0.5, steps=[0.25, 0.125])
    assert list(found.numbers["errors"]) == ["0.5", "0.25", "0.125"]
    assert figure(found, "errors").series[0].x == [0.125, 0.25, 0.5]
    assert found.numbers["truncation_slope"] is None
    assert "slopes" not in verdicts(found)


def test_the_tangent_touches_the_function() -> None:
    curve, tangent, point = figure(result("gradient_check"), "shape").series
    assert curve.y == pytest.approx([math.sin(x) for x in curve.x], rel=1e-12)
    assert tangent.y == pytest.approx([math.sin(1) + math.cos(1) * (x - 1) for x in curve.x], rel=1e-9, abs=1e-12)
    assert (point.x, point.y) == ([1.0], [pytest.approx(math.sin(1))])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"step": 0.0}, "step"), ({"steps": [2.0]}, "steps"), ({"function": "cosine"}, "function"),
     ({"point": [1.0, 2.0]}, "point"), ({"function": "quadratic", "point": [1.0]}, "point"),
     ({"point": [101.0]}, "point")],
)  # fmt: skip
def test_bad_parameters_are_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        GradientCheckParameters(**wrong)
    assert refused.value.errors()[0]["loc"][0] == field


def test_at_a_kink_no_step_is_right() -> None:
    found = result("gradient_check", function="relu", scheme="one_sided")
    said = next(one for one in found.findings if one.id == "smaller")
    assert (said.verdict, said.numbers["best_error"]) == ("depends", 1.0)


def test_what_is_no_error_any_more_does_not_stretch_the_axis() -> None:
    drawn = figure(result("gradient_check"), "errors")
    theory = next(one for one in drawn.series if one.id == "square")
    assert min(theory.y) < 1e-30 < drawn.y.least < 1e-17
