"""The sum of a map against the change of the score that it shares out."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.metrics.base import ExplainedMap
from gradoscope.attribution.metrics.completeness import rounded

from tests.support.judged import measure, subject
from tests.support.nets import Tiny, explain, random_picture, wrap


def shared_out(method: str, error: float | None = None, **options: object) -> ExplainedMap:
    """A map with its own diagnostics, or with an error put there."""
    model, picture = wrap(Tiny(seed=2), side=12), random_picture(12)
    given = explain(method, model, picture, **options)
    diagnostics = dict(given.diagnostics)
    if error is not None:
        diagnostics["completeness"] = {"expected": 2.0, "attributed": 2 * (1 + error), "relative_error": error}
    asked = subject(method, model, picture, given.values, **options)
    return dataclasses.replace(asked, diagnostics=diagnostics)


@pytest.mark.parametrize("method", ["integrated_gradients", "deep_lift", "gradient_shap"])
def test_sums_are_those_of_map_and_scores(method: str) -> None:
    asked = shared_out(method)
    figures = measure("completeness", asked).figures
    ends = torch.stack([asked.picture, torch.zeros_like(asked.picture)])
    start, end = asked.classifier(ends)[:, 0].tolist()
    if method != "gradient_shap":  # its baselines are drawn
        assert figures["expected"] == pytest.approx(start - end, rel=1e-4)
    assert figures["attributed"] == pytest.approx(float(asked.values.double().sum()), rel=1e-4)
    wrong = abs(figures["attributed"] - figures["expected"]) / abs(figures["expected"])
    assert abs(figures["relative_error"]) == pytest.approx(wrong, abs=1e-6)
    assert figures["complete"] == (wrong <= 0.05)


def test_poor_ones_have_a_remedy() -> None:
    figures = measure("completeness", shared_out("integrated_gradients", -0.2, steps=20)).figures
    assert not figures["complete"]
    assert figures["remedy"] == {"parameter": "steps", "value": 20, "suggested": 80, "tolerance": True}
    figures = measure("completeness", shared_out("gradient_shap", 0.1, samples=10)).figures
    assert figures["remedy"] == {"parameter": "samples", "value": 10, "suggested": 40, "tolerance": False}
    asked = shared_out("integrated_gradients", 0.1)
    most = dataclasses.replace(asked, parameters=asked.method.Parameters(steps=2000))
    assert measure("completeness", most).figures["remedy"]["suggested"] is None
    figures = measure("completeness", shared_out("deep_lift", 0.1)).figures
    assert figures["remedy"] is None


def test_good_ones_have_none() -> None:
    figures = measure("completeness", shared_out("integrated_gradients", 0.04)).figures
    assert figures["complete"]
    assert "remedy" not in figures
    assert not measure("completeness", shared_out("integrated_gradients", 0.04), tolerance=0.01).figures["complete"]


def test_nothing_to_share_out() -> None:
    asked = shared_out("integrated_gradients")
    record = {"expected": 0.0, "attributed": 0.1, "relative_error": None, "reason": "nothing"}
    figures = measure("completeness", dataclasses.replace(asked, diagnostics={"completeness": record})).figures
    assert figures == record


@pytest.mark.parametrize("method", ["vanilla_gradient", "grad_cam"])
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(Refused, match="does not share out"):
        measure("completeness", subject(method))


@pytest.mark.parametrize(("count", "expected"), [(3.2, 4), (80, 80), (81, 85), (130, 150), (570, 600)])
def test_rounded(count: float, expected: int) -> None:
    assert rounded(count) == expected
