"""Deletion and insertion against a naive loop."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
import torchcam.methods as torchcam
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.metrics.controls import centred_gaussian, moves
from gradoscope.attribution.metrics.curves import exchanged, ranking
from gradoscope.attribution.metrics.similarity import importance
from gradoscope.attribution.noise import generator
from quantus import PixelFlipping
from torch import Tensor
from torchcam.metrics import DeletionInsertionMetric

from tests.support.explained_maps import explained_map, measure
from tests.support.nets import Tiny, random_picture, wrap


def naive(model, picture: Tensor, replacement: Tensor, order: list[int], steps: int, inserts: bool) -> list[float]:
    """Pixel by pixel, one picture at a time."""
    start, end = (replacement, picture) if inserts else (picture, replacement)
    width, probabilities = picture.shape[-1], []
    for k in range(steps + 1):
        changed = start.clone()
        for place in order[: round(k * len(order) / steps)]:
            for channel in range(len(picture)):
                changed[channel, place // width, place % width] = end[channel, place // width, place % width]
        probabilities.append(float(model(changed[None]).softmax(-1)[0, 0]))
    return probabilities


@pytest.mark.parametrize("replacement", ["blurred", "black"])
@pytest.mark.parametrize("metric", ["deletion", "insertion"])
@pytest.mark.parametrize("method", ["vanilla_gradient", "grad_cam"])
def test_naive_loop(metric: str, replacement: str, method: str) -> None:
    model, picture = wrap(Tiny(), side=7), random_picture(side=7)
    values = torch.randn((1 if method == "grad_cam" else 3, 7, 7), generator=generator(1))
    actual = measure(
        metric, explained_map(method, model, picture, values), replacement=replacement, steps=5, draws=2
    ).figures
    filling, inserts = make_baseline(replacement, picture, seed=0), metric == "insertion"
    strength = (values[0] if method == "grad_cam" else values.abs().sum(0)).flatten().tolist()
    bell = [math.exp(-(u * u + v * v) / (2 * 0.25**2)) for u in _middles(7) for v in _middles(7)]
    drawn = torch.randperm(49, generator=generator(0, "ties")).tolist()
    orders = {
        "map": sorted(drawn, key=lambda place: -strength[place]),
        "gaussian": sorted(drawn, key=lambda place: -round(bell[place], 9)),
    }
    for name, order in orders.items():
        if name == "gaussian":  # equal by symmetry but for rounding: the order among them is not the same here
            order = ranking(centred_gaussian((7, 7)), 0).tolist()
            assert [round(bell[place], 9) for place in order] == sorted((round(p, 9) for p in bell), reverse=True)
        expected = naive(model, picture, filling, order, steps=5, inserts=inserts)
        assert actual[name]["probabilities"] == pytest.approx(expected, rel=1e-4)
        area = sum((a + b) / 2 / 5 for a, b in itertools.pairwise(expected))
        assert actual[name]["area"] == pytest.approx(area, rel=1e-4)
    for draw, record in enumerate(actual["random"]):
        order = torch.randperm(49, generator=generator(0, "order", draw)).tolist()
        assert record["probabilities"] == pytest.approx(
            naive(model, picture, filling, order, steps=5, inserts=inserts), rel=1e-4
        )
    for move, record in zip(moves((7, 7), draws=2, seed=0), actual["displaced"], strict=True):
        rolled = np.roll(importance(values, find_method(method)).numpy(), move, (0, 1)).flatten().tolist()
        order = sorted(drawn, key=lambda place: -rolled[place])
        assert record["probabilities"] == pytest.approx(
            naive(model, picture, filling, order, steps=5, inserts=inserts), rel=1e-4
        )
    for name in ("random", "displaced"):
        areas = [record["area"] for record in actual[name]]
        assert actual[f"{name}_area"] == pytest.approx(np.mean(areas))
        own = actual["map"]["area"]
        as_good = sum(area >= own if inserts else area <= own for area in areas)
        assert actual[f"{name}_p"] == pytest.approx((1 + as_good) / 3)
    assert actual["fractions"] == pytest.approx(np.linspace(0, 1, 6).tolist())


def test_areas_are_those_of_torchcam() -> None:
    """Of a map as large as the picture, without the ReLU that would make many of its places equal: 4 of 64 a step."""
    network, picture = Tiny().eval(), random_picture(side=8)
    with torchcam.GradCAM(network, "first") as extractor:
        extractor._relu = False
        (values,) = extractor(0, network(picture[None].clone().requires_grad_()).softmax(-1))
        assert len(values.unique()) == 64
        metric = DeletionInsertionMetric(extractor, lambda logits: logits.softmax(-1), steps=16)
        metric.update(picture[None].clone().requires_grad_(), 0)
    for name, expected in metric.summary().items():
        subject = explained_map("grad_cam", wrap(network), picture, values, layer="first", relu=False)
        found = measure(name.removesuffix("_auc"), subject, replacement="black", steps=16, draws=1)
        assert found.figures["map"]["area"] == pytest.approx(expected, abs=1e-6)


def test_deletion_is_pixel_flipping_of_quantus() -> None:
    """Which takes values of a picture, not pixels: so of a grey one."""
    network, picture = Tiny(channels=1).eval(), random_picture(side=8)[:1]
    subject = explained_map("occlusion", wrap(network, mean=(0.0,), std=(1.0,)), picture, window=3, stride=1)
    found = measure("deletion", subject, replacement="black", steps=16, draws=1)
    flipping = PixelFlipping(4, normalise=False, perturb_baseline=0.0, disable_warnings=True)
    given = {
        "x_batch": picture[None].numpy(),
        "y_batch": np.zeros(1, dtype=int),
        "a_batch": subject.values[None].numpy(),
    }
    (expected,) = flipping(network, **given, channel_first=True, softmax=True)
    assert found.figures["map"]["probabilities"][1:] == pytest.approx(expected, abs=1e-6)


def _middles(side: int) -> list[float]:
    return [(i + 0.5) / side - 0.5 for i in range(side)]


def test_exchanged_goes_from_end_to_end() -> None:
    start, end, order = random_picture(side=6), random_picture(side=6, seed=1), torch.randperm(36)
    assert torch.equal(exchanged(start, end, order, 0), start)
    assert torch.equal(exchanged(start, end, order, 36), end)
    assert int((exchanged(start, end, order, 10) == end).all(0).sum()) == 10


def test_equal_values_go_by_chance() -> None:
    """Else a map of zeros would delete from the top, and look as if it knew something."""
    order = ranking(torch.zeros(8, 8), 3)
    assert sorted(order.tolist()) == list(range(64))
    assert order.tolist() != list(range(64))
    assert torch.equal(order, ranking(torch.zeros(8, 8), 3))
