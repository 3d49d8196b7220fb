"""Sparseness and complexity against Quantus, and where they can be written down."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradoscope.attribution.metrics.base import MetricCost, find_metric
from quantus import Complexity, Sparseness
from torch import Tensor

from tests.support.explained_maps import explained_map, measure
from tests.support.nets import random_picture

MAPS = {
    "gradient": lambda: explained_map("vanilla_gradient").values,
    "occlusion": lambda: explained_map("occlusion", window=4, stride=2).values,
    "one sign": lambda: random_picture(9, seed=4, width=13),
    "few places": lambda: random_picture(12, seed=5).pow(40),
}


def figures(metric: str, values: Tensor) -> dict[str, float | None]:
    return dict(measure(metric, explained_map(values=values)).figures)


@pytest.mark.parametrize("name", MAPS)
def test_against_quantus(name: str) -> None:
    """Quantus adds 1e-7 to every magnitude, and 1e-12 within the logarithm: so maps of a usual size are compared."""
    values = MAPS[name]().double()
    values = values / values.abs().max()
    places = values.abs().sum(0, keepdim=True)
    ours = figures("sparseness", values)["gini"], figures("complexity", values)["entropy"]
    quiet = {"disable_warnings": True, "display_progressbar": False}
    (gini,) = Sparseness(**quiet).evaluate_batch(None, places.numpy().copy())
    (entropy,) = Complexity(**quiet).evaluate_batch(None, places.numpy().copy())
    assert ours == (pytest.approx(gini, abs=1e-5), pytest.approx(entropy, abs=1e-5))


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_equal_places(count: int) -> None:
    """k of n equal places, the others zero: a Gini index of 1 − k / n, and an entropy of ln k. Signs do not matter."""
    values = torch.zeros(100)
    values[torch.randperm(100, generator=torch.Generator().manual_seed(count))[:count]] = -0.3
    values = values.view(1, 10, 10)
    sparse, complex_ = figures("sparseness", values), figures("complexity", values)
    assert sparse["gini"] == pytest.approx(1 - count / 100)
    assert sparse["tenth"] == pytest.approx(min(1, 10 / count))
    assert complex_["entropy"] == pytest.approx(math.log(count))
    assert complex_["places"] == pytest.approx(count)
    assert (complex_["largest"], complex_["of"]) == (pytest.approx(math.log(100)), 100)


@pytest.mark.parametrize("metric", ["sparseness", "complexity"])
def test_size_and_order_do_not_matter(metric: str) -> None:
    values = explained_map().values
    expected = figures(metric, values)
    shuffled = values.flatten(1)[:, torch.randperm(144, generator=torch.Generator().manual_seed(1))].view_as(values)
    for other in (values * 7, -values, shuffled):
        for name, value in figures(metric, other).items():
            assert value == pytest.approx(expected[name], rel=1e-5)


@pytest.mark.parametrize(("metric", "figure"), [("sparseness", "gini"), ("complexity", "entropy")])
def test_a_map_of_zeros_has_none(metric: str, figure: str) -> None:
    found = figures(metric, torch.zeros(3, 12, 12))
    assert found[figure] is None
    assert "zero everywhere" in str(found["reason"])
    scalar, *_ = find_metric(metric).scalars
    assert scalar.take(found) is None


def test_they_cost_nothing_and_say_which_way_is_better() -> None:
    subject = explained_map()
    for metric, better in (("sparseness", "higher"), ("complexity", "lower")):
        declared = find_metric(metric)
        assert declared.cost(subject.cost_inputs, declared.Parameters()) == MetricCost()
        assert [scalar.better for scalar in declared.scalars] == [better]
        assert np.isfinite(declared.scalars[0].take(figures(metric, subject.values)))
