"""The sum of a map against the change of the score that it shares out."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.metrics.base import ExplainedMap
from gradoscope.pipeline.findings import findings
from torch import Tensor

from tests.support.explained_maps import explained_map, measure
from tests.support.nets import Tiny, explain, random_picture, wrap


def computed_map(method: str, error: float | None = None, **options: object) -> ExplainedMap:
    """A map with the diagnostics of its computation, or with this completeness error in their place."""
    model, picture = wrap(Tiny(seed=2), side=12), random_picture(side=12)
    attribution = explain(method, model, picture, **options)
    diagnostics = dict(attribution.diagnostics)
    if error is not None:
        diagnostics["completeness"] = {"expected": 2.0, "attributed": 2 * (1 + error), "relative_error": error}
    subject = explained_map(method, model, picture, attribution.values, **options)
    return dataclasses.replace(subject, diagnostics=diagnostics)


@pytest.mark.parametrize("method", ["integrated_gradients", "deep_lift", "gradient_shap"])
def test_sums_are_those_of_map_and_scores(method: str) -> None:
    subject = computed_map(method)
    figures = measure("completeness", subject).figures
    ends = torch.stack([subject.picture, torch.zeros_like(subject.picture)])
    end, start = subject.classifier(ends)[:, 0].tolist()
    if method != "gradient_shap":  # its baselines are drawn
        assert figures["expected"] == pytest.approx(end - start, rel=1e-4)
    assert figures["attributed"] == pytest.approx(float(subject.values.double().sum()), rel=1e-4)
    wrong = abs(figures["attributed"] - figures["expected"]) / abs(figures["expected"])
    assert abs(figures["relative_error"]) == pytest.approx(wrong, abs=1e-6)
    assert figures["complete"] == (wrong <= 0.05)


def test_incomplete_maps_say_whether_more_steps_may_help() -> None:
    """Judged by whether the steps so far have helped."""
    subject = computed_map("integrated_gradients", error=-0.2, steps=20)
    for half, helps in ((0.5, True), (0.25, False), (None, None)):
        record = {**subject.diagnostics["completeness"], **({} if half is None else {"half_error": half})}
        figures = measure("completeness", dataclasses.replace(subject, diagnostics={"completeness": record})).figures
        assert not figures["complete"]
        assert figures["remedy"] == {
            "parameter": "steps", "value": 20, "most": False, "helps": helps, "tolerance": True
        }  # fmt: skip
        assert figures.get("half_error") == half
    remedy = measure("completeness", computed_map("gradient_shap", error=0.1, samples=10)).figures["remedy"]
    assert remedy == {"parameter": "samples", "value": 10, "most": False, "helps": None, "tolerance": False}
    most = dataclasses.replace(subject, parameters=subject.method.Parameters(steps=2000))
    assert measure("completeness", most).figures["remedy"]["most"]
    assert measure("completeness", computed_map("deep_lift", error=0.1)).figures["remedy"] is None


@pytest.mark.parametrize(
    ("options", "offered"),
    [({"rule": "midpoint"}, True), ({"rule": "gauss_legendre"}, False), ({"tolerance": 0.01}, False)],
)
def test_a_tolerance_is_named_only_where_it_can_be_set(options: dict[str, object], offered: bool) -> None:
    figures = measure("completeness", computed_map("integrated_gradients", error=0.2, steps=20, **options)).figures
    assert figures["remedy"]["tolerance"] is offered


def test_no_steps_help_where_the_score_jumps() -> None:
    """The gradient of a step is 0 on both sides: with 50 steps or with 2000 its change is missing from the sum."""

    class Jump(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 5 * (x.mean((1, 2, 3)) > 0.2)[:, None]

    model, picture = wrap(Jump(), side=12), random_picture(side=12)
    for steps in (50, 500):
        attribution = explain("integrated_gradients", model, picture, steps=steps)
        subject = explained_map("integrated_gradients", model, picture, attribution.values, steps=steps)
        figures = measure("completeness", dataclasses.replace(subject, diagnostics=attribution.diagnostics)).figures
        assert abs(figures["relative_error"]) > 0.5
        assert figures["half_error"] == pytest.approx(abs(figures["relative_error"]), rel=0.05)
        assert figures["remedy"]["helps"] is False
        (found,) = findings("completeness", figures, subject.method)
        assert found.code == "completeness_poor_steps_no_help"


def test_complete_maps_have_no_remedy() -> None:
    figures = measure("completeness", computed_map("integrated_gradients", error=0.04)).figures
    assert figures["complete"]
    assert "remedy" not in figures
    assert not measure("completeness", computed_map("integrated_gradients", error=0.04), tolerance=0.01).figures[
        "complete"
    ]


def test_nothing_to_share_out() -> None:
    subject = computed_map("integrated_gradients")
    record = {"expected": 0.0, "attributed": 0.1, "relative_error": None, "reason": "nothing"}
    figures = measure("completeness", dataclasses.replace(subject, diagnostics={"completeness": record})).figures
    assert figures == record


@pytest.mark.parametrize("method", ["vanilla_gradient", "grad_cam"])
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(Refused, match="does not share out"):
        measure("completeness", explained_map(method))
