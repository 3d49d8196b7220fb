"""Maximum sensitivity against captum called directly, and where it is known."""

from __future__ import annotations

import pytest
import torch
from captum.metrics import sensitivity_max
from gradoscope.attribution.metrics.base import find_metric
from gradoscope.attribution.metrics.max_sensitivity import nudge
from torch import Tensor

from tests.support.explained_maps import explained_map, measure, run
from tests.support.nets import Linear, Quadratic, Tiny, explain, random_picture, seeded, wrap

METHODS = {"vanilla_gradient": {}, "smooth_grad": {"samples": 3}, "integrated_gradients": {"steps": 4}, "grad_cam": {}}


@pytest.mark.parametrize("method", [*METHODS, "deep_lift", "occlusion"])
def test_against_captum_called_directly(method: str) -> None:
    subject = explained_map(method, wrap(Tiny(seed=4), side=12), **METHODS.get(method, {}))
    actual = measure("max_sensitivity", subject, samples=4, radius=0.1).figures["max_sensitivity"]
    moves = torch.stack([nudge(subject, k, 0.1) for k in range(4)])

    def explained(pictures: Tensor | tuple[Tensor]) -> tuple[Tensor]:
        pictures = pictures[0] if isinstance(pictures, tuple) else pictures
        with torch.enable_grad():
            maps = [explain(method, subject.classifier, x, **METHODS.get(method, {})).values for x in pictures]
        return (torch.stack(maps),)

    expected = sensitivity_max(explained, subject.picture[None], lambda x: x + moves, n_perturb_samples=4)
    assert actual == pytest.approx(float(expected), rel=1e-5)
    assert actual > 0


def test_a_linear_score_has_the_same_gradient_everywhere() -> None:
    subject = explained_map(model=wrap(Linear()), picture=random_picture(side=8))
    assert measure("max_sensitivity", subject).figures["max_sensitivity"] == pytest.approx(0, abs=1e-6)


def test_of_a_closed_form() -> None:
    """The gradient is 2 a x + b, so it moves by 2 a ε."""
    network, picture = Quadratic(), random_picture(side=8)
    subject = explained_map(model=wrap(network), picture=picture)
    moved = [float((2 * network.square[0] * nudge(subject, k, 0.05)).norm() / subject.values.norm()) for k in range(6)]
    actual = measure("max_sensitivity", subject, samples=6, radius=0.05).figures["max_sensitivity"]
    assert actual == pytest.approx(max(moved), rel=1e-4)


def test_nudges_stay_within_the_radius() -> None:
    subject = explained_map()
    drawn = torch.stack([nudge(subject, k, 0.02) for k in range(20)])
    assert 0.019 < float(drawn.abs().max()) <= 0.02
    assert abs(float(drawn.mean())) < 0.001


def test_a_map_of_zeros_has_no_size() -> None:
    yielded, actual = run("max_sensitivity", explained_map("grad_cam", values=torch.zeros(1, 12, 12)))
    assert actual.figures["max_sensitivity"] is None
    assert "zero" in actual.figures["reason"]
    assert yielded[-1].done == yielded[-1].total


def test_measuring_can_be_stopped_between_pictures() -> None:
    subject = explained_map("integrated_gradients", steps=8, values=seeded((3, 12, 12)))
    found = find_metric("max_sensitivity")
    steps = found.measure(subject, found.Parameters(samples=3))
    assert [next(steps).done for _ in range(3)] == [4, 8, 12]
    steps.close()  # ends its thread too
