"""What holds for every metric: its declaration, its progress, its cost, and that the model stays as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from gradoscope.attribution.errors import UnknownName
from gradoscope.attribution.metrics.base import MetricCost, find_metric, metrics

from tests.support.explained_maps import explained_map, run
from tests.support.nets import Tiny, wrap

METRICS = list(metrics())
QUICK = {"deletion": {"steps": 5}, "insertion": {"steps": 5}, "max_sensitivity": {"samples": 3}, "road": {"steps": 3}}
COMPLETENESS = {"completeness": {"expected": 1.0, "attributed": 1.1, "relative_error": 0.1}}


@pytest.mark.parametrize("metric", METRICS)
def test_declaration(metric: str) -> None:
    declared = find_metric(metric)
    assert declared.title
    assert declared.summary
    assert declared.paper.url.startswith("https://arxiv.org/abs/")
    for field in declared.Parameters.model_fields.values():
        assert field.title
        assert field.description
        assert not field.is_required()
    with pytest.raises(ValueError, match="unheard_of"):
        declared.Parameters(unheard_of=1)


@pytest.mark.parametrize("method", ["vanilla_gradient", "smooth_grad"])
@pytest.mark.parametrize("metric", METRICS)
def test_progress_reaches_the_cost_and_the_model_stays(metric: str, method: str) -> None:
    network = Tiny()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    subject = explained_map(method, wrap(network, side=12), **({"samples": 5} if method == "smooth_grad" else {}))
    subject = replace(subject, diagnostics=COMPLETENESS)
    picture, values = subject.picture.clone(), subject.values.clone()
    options = QUICK.get(metric, {})
    yielded, actual = run(metric, subject, **options)
    declared = find_metric(metric)
    cost = declared.cost(subject.cost_inputs, declared.Parameters(**options))
    assert actual.metric == metric
    assert [step.done for step in yielded] == sorted(step.done for step in yielded)
    assert {step.total for step in yielded} == {cost.total}
    assert yielded[-1].done == cost.total
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert torch.equal(subject.picture, picture)
    assert torch.equal(subject.values, values)


def test_unknown_metric() -> None:
    with pytest.raises(UnknownName, match="There is no metric"):
        find_metric("magic")


def test_cost_adds_up() -> None:
    assert MetricCost(1, 2) + MetricCost(3) * 2 == MetricCost(7, 2)
    assert (MetricCost(1, 2) + MetricCost(3) * 2).total == 9
