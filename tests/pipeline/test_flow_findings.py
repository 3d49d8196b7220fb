"""Findings about the gradient flow, such as where the gradient vanishes: on networks that are built to show them."""

from __future__ import annotations

import json
import re

import pytest
import torch
from gradoscope.attribution.gradient_flow.profile import measure
from gradoscope.attribution.score import Score
from gradoscope.pipeline.flow_findings import URL, findings
from torch import nn

from tests.support.nets import Tiny, random_picture, wrap


def found(network, score="logit", picture=None, **options):
    given = random_picture() if picture is None else picture
    bodies = [
        finding.to_dict() for finding in findings(measure(wrap(network, **options), given, Score(0, score)), score)
    ]
    json.dumps(bodies, allow_nan=False)
    assert all(finding["url"] == URL and finding["level"] in ("note", "doubt") for finding in bodies)
    return {finding["code"]: finding for finding in bodies}


def seeded_chain(*layers):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(*(make() for make in layers))


def deep(activation, depth=8):
    """A chain of linear layers, each with an activation."""
    steps = [lambda: nn.Flatten(), lambda: nn.Linear(192, 16)]
    for _ in range(depth):
        steps += [activation, lambda: nn.Linear(16, 16)]
    return seeded_chain(*steps, lambda: nn.Linear(16, 3))


def test_a_deep_chain_of_sigmoids_vanishes_and_the_place_is_named():
    by_code = found(deep(nn.Sigmoid))
    vanishes = by_code["flow_vanishes"]
    assert vanishes["level"] == "doubt"
    layers = measure(wrap(deep(nn.Sigmoid)), random_picture(), Score(0))
    largest, largest_rms = max(layer.norm for layer in layers), max(layer.rms for layer in layers)
    below = [layer.norm < 1e-3 * largest and layer.rms < 1e-3 * largest_rms for layer in layers]
    last = below.index(False) - 1  # from the picture on
    assert vanishes["values"]["layer"].startswith(f"{layers[last].name} (")
    assert f"vanishes at {layers[last].name}" in vanishes["detail"]
    assert "flow_arrives" not in by_code


def test_a_gradient_that_arrives():
    linear = nn.Linear(192, 3)
    linear.weight.data.fill_(10.0)
    by_code = found(nn.Sequential(nn.Flatten(), linear))
    assert by_code["flow_arrives_largest"]["level"] == "note"
    by_code = found(deep(nn.LeakyReLU, depth=2))
    assert "flow_vanishes" not in by_code
    assert by_code["flow_arrives"]["level"] == "note"
    assert 0 < by_code["flow_arrives"]["values"]["share"] <= 1


def test_a_dead_layer_stops_it():
    network = Tiny()
    network.second.bias.data.fill_(-100)
    by_code = found(network)
    assert by_code["flow_stops"]["values"]["layer"].startswith("second")
    assert by_code["flow_stops"]["level"] == "doubt"
    assert by_code["flow_all_dead"]["values"] == {"layer": "activation (ReLU), call 2"}
    assert by_code["flow_all_dead"]["level"] == "doubt"


def test_many_dead_activations_are_reported():
    network, picture = Tiny(), random_picture(side=12)
    before = network.second(network.first(picture[None]).relu())
    network.second.bias.data -= before.quantile(0.95)
    dead = found(network, picture=picture)["flow_dead"]
    assert dead["values"]["count"] == 1
    assert dead["values"]["dead"] == pytest.approx(0.95, abs=0.01)
    assert dead["level"] == "note"


def test_saturation_is_reported():
    network = Tiny(activation=nn.Tanh())
    network.first.weight.data.mul_(1000)
    by_code = found(network)
    assert by_code["flow_saturated"]["values"]["count"] == 1
    assert "activation (Tanh)" in by_code["flow_saturated"]["detail"]


def test_the_drop_at_an_average_is_explained():
    network = seeded_chain(
        lambda: nn.Conv2d(3, 4, 1), lambda: nn.AdaptiveAvgPool2d(1), nn.Flatten, lambda: nn.Linear(4, 3)
    )
    by_code = found(network)
    assert by_code["flow_drop_average"]["values"]["ratio"] == pytest.approx(1 / 8, rel=1e-4)  # 64 places: √64
    assert "what an average does" in by_code["flow_drop_average"]["detail"]


def test_a_probability_that_is_certain_has_no_slope():
    network = Tiny()
    network.head.bias.data = torch.tensor([30.0, 0.0, 0.0])
    by_code = found(network, "probability")
    assert "With the logit as the score" in by_code["flow_flat_score"]["detail"]


def test_a_gradient_that_is_not_finite_is_the_only_finding():
    network = Tiny(activation=lambda x: (x * 0).sqrt() + x)
    by_code = found(network)
    assert list(by_code) == ["flow_not_finite"]
    assert re.search(r"not finite", by_code["flow_not_finite"]["detail"])
