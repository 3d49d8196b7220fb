"""What maps and metrics cost: evaluations, work, progress weight and seconds, all counted in one place."""

from __future__ import annotations

import pytest
from gradoscope.attribution.backends.selection import BackendSelector
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.metrics.base import CostInputs, MetricCost, find_metric, metrics
from gradoscope.attribution.score import Score
from gradoscope.pipeline.cost import (
    BACKWARD,
    MIN_TIMED_EVALUATIONS,
    components,
    map_key,
    map_seconds,
    panel_cost,
    progress_weight,
    record_backend_time,
    record_map_time,
    record_metric_time,
    throughput_key,
)
from gradoscope.pipeline.throughput import Throughput

from tests.support.nets import Tiny, wrap

SIZE = (32, 48)


def inputs(method: str, **options: int) -> CostInputs:
    found = find_method(method)
    return CostInputs(found, found.Parameters(**options), SIZE, classes=10, weighted_layers=4)


def test_work_and_progress_weight_count_all_evaluations():
    cost_inputs = inputs("smooth_grad", samples=20)
    measured = [(metric, metric.Parameters()) for metric in metrics().values()]
    cost = panel_cost(cost_inputs, measured)
    assert cost.map == MetricCost(gradients=20, maps=1)
    assert cost.metrics == {metric.id: metric.cost(cost_inputs, parameters) for metric, parameters in measured}
    assert cost.measuring == sum(one.forwards + one.gradients for one in cost.metrics.values()) > 0
    assert cost.work == (20 + cost.measuring) * 32 * 48
    passes = 20 * (1 + BACKWARD) + sum(one.forwards + one.gradients * (1 + BACKWARD) for one in cost.metrics.values())
    assert cost.progress_weight == passes


def test_a_map_by_forward_passes_weighs_less_than_one_by_gradients():
    occlusion, smooth = panel_cost(inputs("occlusion"), ()), panel_cost(inputs("smooth_grad"), ())
    assert occlusion.map.gradients == 0 < occlusion.map.forwards
    assert progress_weight(occlusion.map) == occlusion.map.total
    assert progress_weight(smooth.map) == (1 + BACKWARD) * smooth.map.total


def test_seconds_are_those_of_the_last_maps_of_enough_evaluations():
    throughput = Throughput()
    many, few = MetricCost(gradients=MIN_TIMED_EVALUATIONS), MetricCost(gradients=MIN_TIMED_EVALUATIONS - 1)
    record_map_time(throughput, "net", few, 1.0, SIZE)
    assert map_seconds(throughput, "net", many, SIZE) is None
    record_map_time(throughput, "net", many, 4.0, SIZE)
    assert map_seconds(throughput, "net", MetricCost(gradients=2 * MIN_TIMED_EVALUATIONS), SIZE) == pytest.approx(8.0)
    assert map_seconds(throughput, "net", many, (64, 48)) == pytest.approx(8.0)
    assert map_seconds(throughput, "other", many, SIZE) is None


def test_maps_by_forward_passes_have_a_throughput_for_each_method():
    """Until there is one, a third of a gradient's stands in; it stays so when a pass from a layer on takes nothing."""
    throughput, many = Throughput(), MetricCost(forwards=2 * MIN_TIMED_EVALUATIONS)
    ablation, score = (map_key(find_method(id)) for id in ("ablation_cam", "score_cam"))
    assert map_seconds(throughput, "net", many, SIZE, ablation) is None
    record_map_time(throughput, "net", many, 8.0, SIZE, map_key(find_method("smooth_grad")))
    third = 8.0 / (1 + BACKWARD)
    assert map_seconds(throughput, "net", many, SIZE, ablation) == pytest.approx(third)
    record_map_time(throughput, "net", many, 0.5, SIZE, ablation)
    assert map_seconds(throughput, "net", many, SIZE, ablation) == pytest.approx(0.5)
    assert map_seconds(throughput, "net", many, SIZE, score) == pytest.approx(third)
    as_many = MetricCost(gradients=many.total)
    assert map_seconds(throughput, "net", as_many, SIZE, score) == pytest.approx(8.0)


def test_what_the_backend_in_use_takes_stands_in_for_maps_by_another():
    throughput, many = Throughput(), MetricCost(gradients=2 * MIN_TIMED_EVALUATIONS)
    backend = BackendSelector(wrap(Tiny()), "none", lambda size: True)
    record_map_time(throughput, "net", many, 800.0, SIZE, backend="before")
    record_backend_time(throughput, "net", backend, SIZE)
    assert map_seconds(throughput, "net", many, SIZE) == pytest.approx(800.0), "no pass yet, nothing known"
    backend.gradients(backend.classifier.noise_pictures(2), Score(0))
    assert backend.seconds is not None
    record_backend_time(throughput, "net", backend, SIZE)
    assert map_seconds(throughput, "net", many, SIZE) == pytest.approx(backend.seconds * many.total)
    record_map_time(throughput, "net", many, 3.0, SIZE, backend=backend.name)
    record_map_time(throughput, "net", many, 3.0, SIZE, backend=backend.name)
    record_backend_time(throughput, "net", backend, SIZE)
    assert map_seconds(throughput, "net", many, SIZE) == pytest.approx(3.0), "whole maps of it are known"


def test_a_metric_that_makes_maps_has_a_throughput_for_each_method():
    throughput = Throughput()
    metric, cost_inputs = find_metric("randomisation"), inputs("smooth_grad")
    cost = metric.cost(cost_inputs, metric.Parameters())
    assert cost.maps > 0
    record_metric_time(throughput, "net", cost_inputs, metric, cost, 3.0)
    assert throughput.seconds(
        "net", throughput_key(cost_inputs.method, metric, cost), cost.total, SIZE
    ) == pytest.approx(3.0)
    assert throughput.seconds("net", throughput_key(find_method("grad_cam"), metric, cost), cost.total, SIZE) is None
    record_metric_time(throughput, "net", cost_inputs, metric, MetricCost(), 3.0)  # no evaluations: no error


@pytest.mark.parametrize("metric", list(metrics()))
def test_the_components_of_a_metric_add_up_to_its_cost(metric: str):
    found, cost_inputs = find_metric(metric), inputs("smooth_grad")
    cost = found.cost(cost_inputs, found.Parameters())
    passes = [  # the others, comparisons and drawing weights, take seconds but no evaluations
        count for key, count in components(found, cost, cost_inputs) if key[0] in ("maps", "forwards", "gradients")
    ]
    assert sum(passes) == cost.total
