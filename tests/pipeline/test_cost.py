"""What maps and metrics cost: evaluations, work, progress weight and seconds, all counted in one place."""

from __future__ import annotations

import pytest
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.metrics.base import CostInputs, MetricCost, find_metric, metrics
from gradoscope.pipeline.cost import (
    BACKWARD,
    MIN_TIMED_EVALUATIONS,
    components,
    map_seconds,
    panel_cost,
    progress_weight,
    record_map_time,
    record_metric_time,
    throughput_key,
)
from gradoscope.pipeline.throughput import Throughput

SIZE = (32, 48)


def inputs(method: str, **options: int) -> CostInputs:
    found = find_method(method)
    return CostInputs(found, found.Parameters(**options), SIZE, 10, weighted_layers=4)


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
    passes = [
        count for name, count in components(found, cost, cost_inputs) if name[0] in ("maps", "forwards", "gradients")
    ]
    assert sum(passes) == cost.total
