"""Quick, good and exact: what each method makes of them."""

from __future__ import annotations

import pytest
from gradoscope.attribution.methods.base import QUALITIES, Method, find_method, methods

from tests.support.nets import Tiny, explain, random_picture, relative, wrap

WITH = [id for id, method in methods().items() if method.qualities]


def parameters_at(method: Method, quality: str, **given: object):  # type: ignore[no-untyped-def, type-arg]
    return method.Parameters.model_validate(method.at_quality(quality, given))


def test_methods_that_sum_over_gradients_or_samples_have_qualities() -> None:
    """All with steps, samples or masks among their parameters, and no other."""
    counted = {"steps", "samples", "masks"}
    assert set(WITH) == {id for id, method in methods().items() if counted & method.Parameters.model_fields.keys()}


@pytest.mark.parametrize("id", WITH)
def test_each_costs_more_than_the_one_before(id: str) -> None:
    method = find_method(id)
    assert tuple(method.qualities) == QUALITIES
    names = {tuple(values) for values in method.qualities.values()}
    assert len(names) == 1  # whichever is chosen, nothing is left of another
    costs = [method.cost(parameters_at(method, quality), (224, 224)) for quality in QUALITIES]
    assert costs == sorted(costs)
    assert len(set(costs)) == len(QUALITIES)


@pytest.mark.parametrize("id", ["integrated_gradients", "blur_integrated_gradients"])
def test_path_methods_hold_what_they_promise(id: str) -> None:
    classifier, x = wrap(Tiny()).double(), random_picture(seed=3).double()
    exact = explain(id, classifier, x, steps=2000).values
    errors, counts = [], []
    for quality, tolerance in zip(QUALITIES, (0.3, 0.1, 0.03), strict=True):
        found = explain(id, classifier, x, **find_method(id).at_quality(quality, {}))
        assert found.diagnostics["converged"]
        change = found.diagnostics["change"]
        assert change is not None
        assert change <= tolerance
        errors.append(relative(found.values, exact))
        counts.append(found.diagnostics["gradient_evaluations"])
        assert errors[-1] <= tolerance
    assert errors == sorted(errors, reverse=True)
    assert counts == sorted(counts)


def test_what_is_given_counts_more() -> None:
    method = find_method("smooth_grad")
    assert parameters_at(method, "exact", samples=3).samples == 3
    assert parameters_at(method, "exact", noise=0.5).samples == method.qualities["exact"]["samples"]
    assert find_method("grad_cam").at_quality("exact", {"relu": False}) == {"relu": False}


def test_gauss_legendre_has_steps_instead_of_a_tolerance() -> None:
    """It refuses a tolerance: a person who chose the rule gets that rule at any quality."""
    method = find_method("integrated_gradients")
    chosen = [parameters_at(method, quality, rule="gauss_legendre") for quality in QUALITIES]
    assert [one.tolerance for one in chosen] == [0, 0, 0]
    assert [one.steps for one in chosen] == sorted({one.steps for one in chosen})
    assert parameters_at(method, "good", rule="gauss_legendre", steps=7).steps == 7
