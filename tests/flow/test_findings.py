"""Where the gradient vanishes, in words: on networks that were made so."""

from __future__ import annotations

import json
import re

import pytest
import torch
from gradoscope.attribution.score import Score
from gradoscope.flow.findings import URL, findings
from gradoscope.flow.flow import measure
from nets import Tiny, random_picture, wrap
from torch import nn


def found(network, score="logit", picture=None, **options):
    told = findings(
        measure(wrap(network, **options), random_picture() if picture is None else picture, Score(0, score)), score
    )
    json.dumps(told, allow_nan=False)
    assert all(finding["url"] == URL and finding["level"] in ("note", "doubt") for finding in told)
    return {finding["code"]: finding for finding in told}


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
    told = found(deep(nn.Sigmoid))
    vanishes = told["flow_vanishes"]
    assert vanishes["level"] == "doubt"
    layers = measure(wrap(deep(nn.Sigmoid)), random_picture(), Score(0))
    largest, most = max(layer.norm for layer in layers), max(layer.rms for layer in layers)
    below = [layer.norm < 1e-3 * largest and layer.rms < 1e-3 * most for layer in layers]
    last = below.index(False) - 1  # from the picture on
    assert vanishes["values"]["layer"].startswith(f"{layers[last].name} (")
    assert f"vanishes at {layers[last].name}" in vanishes["detail"]
    assert "flow_arrives" not in told


def test_the_same_chain_with_relu_arrives():
    told = found(deep(nn.LeakyReLU, depth=2))
    assert "flow_vanishes" not in told
    assert told["flow_arrives"]["level"] == "note"
    assert 0 < told["flow_arrives"]["values"]["share"] <= 1


def test_a_dead_layer_stops_it():
    network = Tiny()
    network.second.bias.data.fill_(-100)
    told = found(network)
    assert told["flow_stops"]["values"]["layer"].startswith("second")
    assert told["flow_stops"]["level"] == "doubt"
    assert told["flow_dead"]["values"] == {"count": 1, "layer": "activation (ReLU), call 2", "dead": 1, "units": 1}
    assert told["flow_dead"]["level"] == "doubt"


def test_saturation_is_told():
    network = Tiny(activation=nn.Tanh())
    network.first.weight.data.mul_(1000)
    told = found(network)
    assert told["flow_saturated"]["values"]["count"] == 1
    assert "activation (Tanh)" in told["flow_saturated"]["detail"]


def test_the_drop_at_an_average_is_explained():
    network = seeded_chain(
        lambda: nn.Conv2d(3, 4, 1), lambda: nn.AdaptiveAvgPool2d(1), nn.Flatten, lambda: nn.Linear(4, 3)
    )
    told = found(network)
    assert told["flow_drop"]["values"]["ratio"] == pytest.approx(1 / 8, rel=1e-4)  # 64 places: √64
    assert "what an average does" in told["flow_drop"]["detail"]


def test_a_probability_that_is_certain_has_no_slope():
    network = Tiny()
    network.head.bias.data = torch.tensor([30.0, 0.0, 0.0])
    told = found(network, "probability")
    assert "The logit" in told["flow_flat_score"]["detail"]


def test_what_is_not_finite_is_told_alone():
    network = Tiny(activation=lambda x: (x * 0).sqrt() + x)
    told = found(network)
    assert list(told) == ["flow_not_finite"]
    assert re.search(r"not finite", told["flow_not_finite"]["detail"])
