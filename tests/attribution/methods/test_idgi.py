"""IDGI against a naive loop, the authors' formula, and completeness on both paths."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.methods.idgi import distribute
from gradoscope.attribution.methods.integrated_gradients import StraightPath
from gradoscope.attribution.methods.schedules import Cell
from gradoscope.attribution.score import Score
from scipy import ndimage
from torch import Tensor

from tests.support.nets import Linear, Quadratic, Sine, Tiny, explain, finish, random_picture, relative, steps_of, wrap


def gradient(model: torch.nn.Module, x: Tensor) -> Tensor:
    leaf = x[None].clone().requires_grad_()
    return torch.autograd.grad(model(leaf)[0, 1], leaf)[0][0]


def score(model: torch.nn.Module, x: Tensor) -> float:
    return float(model(x[None])[0, 1].detach())


def naive(model: torch.nn.Module, edges: list[Tensor], points: list[Tensor]) -> Tensor:
    """Σ g² Δf / Σ g², pictures in the order towards the sharp one."""
    total = torch.zeros_like(points[0])
    for (before, after), point in zip(pairwise(edges), points, strict=True):
        square = gradient(model, point) ** 2
        total += square * (score(model, after) - score(model, before)) / square.sum()
    return total


@pytest.mark.parametrize("baseline", ["black", "mean", "noise"])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_straight_path_against_a_loop(steps: int, baseline: str) -> None:
    model, x = wrap(Tiny()).double(), random_picture(seed=3).double()
    start = make_baseline(baseline, x, 4)
    warped = [(11 ** (i / (2 * steps)) - 1) / 10 for i in range(2 * steps + 1)]
    pictures = [start + t * (x - start) for t in warped]
    yielded, actual = finish(
        steps_of("idgi", model, x, score=Score(1), seed=4, micro_batch=3, steps=steps, baseline=baseline)
    )
    assert relative(actual.values, naive(model, pictures[::2], pictures[1::2])) < 1e-9
    assert yielded[-1].done == yielded[-1].total == 2 * steps + 1
    assert actual.diagnostics["gradient_evaluations"] == steps
    assert actual.diagnostics["forward_evaluations"] == steps + 1
    assert relative(yielded[-1].estimate, actual.values) < 1e-9


@pytest.mark.parametrize("steps", [1, 4])
def test_blur_path_against_a_loop(steps: int) -> None:
    """Blurred by scipy, at u σ(u) = 9 u σmax / (9 + σmax (1 − u)) pixels."""
    model, x = wrap(Tiny()).double(), random_picture(seed=3).double()
    sigmas = [9 * u * 5 / (9 + 5 * (1 - u)) for u in (i / (2 * steps) for i in range(2 * steps, -1, -1))]
    pictures = [torch.from_numpy(ndimage.gaussian_filter(x.numpy(), (0, s, s), mode="constant")) for s in sigmas]
    actual = explain("idgi", model, x, score=Score(1), path="blur", max_sigma=5.0, steps=steps)
    assert relative(actual.values, naive(model, pictures[::2], pictures[1::2])) < 1e-7


def test_authors_formula() -> None:
    """Their code, for integrated gradients: evenly spaced pictures, the gradient at the start of each step."""
    model, x, steps = wrap(Tiny()).double(), random_picture(seed=3).double(), 6
    zero = torch.zeros_like(x)
    alphas = torch.linspace(0, 1, steps + 1).double()
    pictures = [zero + alpha * (x - zero) for alpha in alphas]
    expected = zero.clone()
    for j in range(steps):
        g = gradient(model, pictures[j])
        d = score(model, pictures[j + 1]) - score(model, pictures[j])
        expected += g * g * d / (g * g).sum()
    cells = [Cell(float(a), float(a), float(b)) for a, b in pairwise(alphas)]
    engine = Engine(model, Score(1), micro_batch=4)
    _, actual = finish(distribute(engine, StraightPath((x, zero)), cells, sharp_at=1))
    assert relative(actual.values, expected) < 1e-9


@pytest.mark.parametrize("network", [Linear, Quadratic, Sine, Tiny])
@pytest.mark.parametrize(("path", "sigma"), [("straight", 50), ("blur", 3), ("blur", 5), ("blur", 50)])
@pytest.mark.parametrize("steps", [1, 3, 50])
def test_complete_with_any_number_of_steps(steps: int, path: str, sigma: int, network: type[torch.nn.Module]) -> None:
    model, x = wrap(network()).double(), random_picture(seed=5).double()
    options = {"path": path, "steps": steps, "max_sigma": float(sigma)}
    actual = explain("idgi", model, x, score=Score(1), **options)
    start = torch.zeros_like(x)
    if path == "blur":
        start = torch.from_numpy(ndimage.gaussian_filter(x.numpy(), (0, sigma, sigma), mode="constant"))
    change = score(model, x) - score(model, start)
    assert float(actual.values.sum()) == pytest.approx(change, rel=1e-7, abs=1e-9)
    assert actual.diagnostics["completeness"]["expected"] == pytest.approx(change, rel=1e-7)
    assert actual.diagnostics["completeness"]["attributed"] == pytest.approx(change, rel=1e-7, abs=1e-9)


def test_linear_score_in_closed_form() -> None:
    """Σ over steps of w² / Σ w² times its change: w² (S(x) − S(0)) / Σ w²."""
    model, x = wrap(Linear()).double(), random_picture(seed=5).double()
    square = model.network.weight[1].detach() ** 2
    change = score(model, x) - score(model, torch.zeros_like(x))
    actual = explain("idgi", model, x, score=Score(1), steps=4)
    assert relative(actual.values, square * change / square.sum()) < 1e-9


def test_flat_steps_are_left_out() -> None:
    """A score that is constant gives a map of zeros, not of NaN."""

    class Flat(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 0 + 1

    actual = explain("idgi", wrap(Flat()), random_picture(), steps=3)
    assert not actual.values.any()
    assert actual.diagnostics["completeness"]["relative_error"] is None


@pytest.mark.parametrize("micro_batch", [1, 2, 5, 11])
def test_micro_batch_does_not_matter(micro_batch: int) -> None:
    model, x = wrap(Tiny()).double(), random_picture().double()
    one = explain("idgi", model, x, steps=5, micro_batch=1).values
    assert relative(explain("idgi", model, x, steps=5, micro_batch=micro_batch).values, one) < 1e-10


def test_only_a_baseline_of_noise_is_random() -> None:
    method = find_method("idgi")
    parameters = method.Parameters
    assert method.stochastic(parameters(baseline="noise"))
    assert not method.stochastic(parameters(baseline="noise", path="blur"))
    assert not method.stochastic(parameters())
