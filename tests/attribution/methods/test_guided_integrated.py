"""Guided integrated gradients against PAIR saliency, integrated gradients, and scores that can be integrated."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.methods.guided_integrated_gradients import GuidedPath
from gradoscope.attribution.score import Score
from torch import Tensor, nn

from tests.support.nets import (
    Linear,
    Quadratic,
    Sine,
    Tiny,
    classifier,
    complete,
    explain,
    finish,
    lite0,
    random_picture,
    relative,
    sample_pixels,
    steps_of,
    wrap,
)
from tests.support.pair_guided import pair_guided

GUIDED = "guided_integrated_gradients"
CAT = 282


def soft() -> Tiny:
    return Tiny(nn.Softplus())


def gelu() -> Tiny:
    return Tiny(nn.GELU())


def theirs(network: Classifier, x: Tensor, target: int, **options: object) -> Tensor:
    """PAIR's map, with gradients in the memory layout of ours, so that float32 rounds them alike."""

    def gradient(values: np.ndarray) -> np.ndarray:
        leaf = torch.from_numpy(values).to(x)[None].contiguous(memory_format=torch.channels_last).requires_grad_()
        return torch.autograd.grad(network(leaf)[0, target], leaf)[0][0].double().numpy()

    return pair_guided(x, gradient, **options)


@pytest.mark.parametrize(("fraction", "max_dist"), [(0.25, 0.02), (0.1, 0.3), (1.0, 1.0)])
@pytest.mark.parametrize("name", ["lite0", "resnet18", "vit_64"])
def test_against_pair_saliency(name: str, fraction: float, max_dist: float) -> None:
    network = lite0() if name == "lite0" else classifier(name, 64)
    x = sample_pixels("cat", None if name == "lite0" else 64)
    options = {"fraction": fraction, "max_dist": max_dist}
    expected = theirs(network, x, CAT, steps=6, **options)
    actual = explain(GUIDED, network, x, score=Score(CAT), steps=6, **options)
    assert relative(actual.values, expected) < 1e-6
    assert relative(explain("integrated_gradients", network, x, score=Score(CAT), steps=6).values, expected) > 0.1


@pytest.mark.parametrize("baseline", ["black", "white", "mean", "blurred", "noise"])
@pytest.mark.parametrize("steps", [1, 3, 25])
def test_against_pair_saliency_in_float64(steps: int, baseline: str) -> None:
    network, x = wrap(Tiny()).double(), random_picture(seed=2).double()
    start = make_baseline(baseline, x, 7)
    for fraction, max_dist in ((0.25, 0.02), (0.01, 0.5), (0.5, 1.0), (1.0, 0.1)):
        options = {"steps": steps, "fraction": fraction, "max_dist": max_dist}
        expected = theirs(network, x, 1, baseline=start, **options)
        actual = explain(GUIDED, network, x, score=Score(1), seed=7, baseline=baseline, **options)
        assert relative(actual.values, expected) < 1e-9


@pytest.mark.parametrize("network", [Sine, Quadratic, Tiny])
def test_without_a_detour_it_is_integrated_gradients(network: type[nn.Module]) -> None:
    """max_dist = 0: each value where it is on the straight path, the gradient where each step begins."""
    model, x = wrap(network()).double(), random_picture(seed=2).double()
    leaves = [(x * k / 8)[None].requires_grad_() for k in range(8)]
    expected = sum(torch.autograd.grad(model(leaf)[0, 2], leaf)[0][0] * x / 8 for leaf in leaves)
    actual = explain(GUIDED, model, x, score=Score(2), steps=8, max_dist=0.0)
    assert relative(actual.values, expected) < 1e-9


@pytest.mark.parametrize("fraction", [0.05, 0.25, 1.0])
@pytest.mark.parametrize("max_dist", [0.0, 0.02, 1.0])
def test_linear_score(max_dist: float, fraction: float) -> None:
    """W ⊙ (x − x′), whatever the path."""
    network, x = Linear(), random_picture(seed=4)
    for steps in (1, 7):
        options = {"steps": steps, "fraction": fraction, "max_dist": max_dist, "baseline": "white"}
        actual = explain(GUIDED, wrap(network), x, **options)
        assert torch.allclose(actual.values, network.weight[0] * (x - 1), atol=1e-5)
        assert complete(actual.diagnostics["completeness"], 1e-5)


@pytest.mark.parametrize(
    ("network", "max_dist"),
    [(Quadratic, 0.02), (Sine, 0.02), (soft, 0.02), (soft, 0.3), (gelu, 0.02), (gelu, 0.3)],
)
def test_sum_of_a_smooth_score_tends_to_its_change(network: Callable[[], nn.Module], max_dist: float) -> None:
    model, x = wrap(network()).double(), random_picture(seed=4).double()
    errors = []
    for steps in (50, 400):
        record = explain(GUIDED, model, x, steps=steps, max_dist=max_dist).diagnostics["completeness"]
        errors.append(abs(record["attributed"] - record["expected"]) / abs(record["expected"]))
    assert errors[1] < errors[0] / 4
    assert errors[1] < 0.01


@pytest.mark.parametrize("max_dist", [0.0, 0.05, 1.0])
def test_path(max_dist: float) -> None:
    """Each step shortens the distance by the same amount; no value strays farther than it may, nor goes back."""
    picture, start = random_picture(seed=1).double(), random_picture(seed=2).double()
    picture[0, :2] = start[0, :2]  # values that have nowhere to go
    path, at, steps = GuidedPath(picture, start, 0.25, max_dist), start, 10
    difference = picture - start
    for number in range(1, steps + 1):
        slopes = random_picture(seed=number).double()
        before, at = at, path.step(at, slopes, number / steps)
        assert path.distance(at) == pytest.approx(path.distance(start) * (1 - number / steps), abs=1e-8)
        t = ((at - start) / difference)[difference != 0]
        assert float((t - number / steps).abs().max()) <= max_dist + 1e-9
        assert torch.equal(at[difference == 0], start[difference == 0])
        assert bool(((at - before) * difference >= 0).all())
    assert torch.allclose(at, picture, atol=1e-8)


def test_the_smallest_slopes_move_first() -> None:
    path = GuidedPath(torch.ones(1, 1, 4).double(), torch.zeros(1, 1, 4).double(), 0.01, 1.0)
    slopes = torch.tensor([[[3.0, 1.0, 4.0, 2.0]]]).double()
    assert path.step(path.start, slopes, 0.375)[0, 0].tolist() == [0, 1, 0, 0.5]


@pytest.mark.parametrize("steps", [1, 5])
def test_a_picture_that_is_its_baseline(steps: int) -> None:
    yielded, actual = finish(steps_of(GUIDED, wrap(Tiny()), torch.zeros(3, 8, 8), steps=steps))
    assert not actual.values.any()
    assert len(yielded) == yielded[-1].total == steps
    assert actual.diagnostics["completeness"]["relative_error"] is None


def test_partial_maps_and_cost() -> None:
    model, x = wrap(Linear()), random_picture(seed=4)
    yielded, actual = finish(steps_of(GUIDED, model, x, steps=9))
    assert [step.done for step in yielded] == list(range(1, 10))
    assert torch.equal(yielded[-1].estimate, actual.values)
    for step in yielded:  # each is scaled to the whole path
        assert float(step.estimate.abs().sum()) > 0.3 * float(actual.values.abs().sum())
    declared = find_method(GUIDED)
    assert declared.cost(declared.Parameters(steps=9), (8, 8)) == 9
    assert actual.diagnostics["gradient_evaluations"] == 9


def test_each_pass_has_one_picture() -> None:
    """So the micro-batch changes nothing."""
    model, x = copy.deepcopy(wrap(Tiny())), random_picture()
    sizes: list[int] = []
    model.register_forward_hook(
        lambda module, inputs, output: sizes.append(len(output)) if output.requires_grad else None
    )
    explain(GUIDED, model, x, steps=4, micro_batch=16)
    assert sizes == [1] * 4


def test_only_a_baseline_of_noise_is_random() -> None:
    declared = find_method(GUIDED)
    assert declared.stochastic(declared.Parameters(baseline="noise"))
    assert not declared.stochastic(declared.Parameters())


class SteepAtBlack(nn.Module):
    """The gradient of √Σx is infinite at the black picture."""

    def forward(self, x: Tensor) -> Tensor:
        total = x.sum((1, 2, 3)).sqrt()
        return torch.stack((total, -total), 1)


def test_a_gradient_that_is_not_finite_on_the_way_is_refused() -> None:
    network, x = wrap(SteepAtBlack(), 8, 2), torch.rand(3, 8, 8)
    with pytest.raises(Refused, match="another baseline"):
        explain("guided_integrated_gradients", network, x, score=Score(0), steps=2)
    fine = explain("guided_integrated_gradients", network, x, score=Score(0), steps=2, baseline="white")
    assert fine.values.isfinite().all()
