"""Path methods on scores whose integrals can be written down: values, completeness, every rule and schedule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradoscope.attribution.base import find_method
from gradoscope.attribution.baselines import make_baseline
from gradoscope.attribution.blur import blur
from gradoscope.attribution.paths import completeness, quadrature, spread
from gradoscope.errors import ComputationFailed
from nets import Linear, Quadratic, Sine, Tiny, explain, finish, random_picture, relative, steps_of, wrap
from scipy import ndimage
from torch import Tensor, nn

RULES = ("gauss_legendre", "midpoint")
SCHEDULES = ("quadratic", "linear")
BASELINES = ("black", "white", "mean", "blurred", "noise")
IG, BLUR = "integrated_gradients", "blur_integrated_gradients"


class Product(nn.Module):
    """y_k = (u_k · x)(v_k · x): quadratic, with every pixel coupled to every other."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = Linear(seed=1), Linear(seed=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) * self.other(x)


def complete(record: dict, below: float = 1e-3) -> bool:
    return record["attributed"] == pytest.approx(record["expected"], abs=below * max(abs(record["expected"]), 1e-6))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("baseline", BASELINES)
def test_integrated_gradients_of_a_linear_score(rule: str, baseline: str) -> None:
    """W ⊙ (x − x′) at any number of steps, for every micro-batch."""
    network, x = Linear(), random_picture(seed=4)
    expected = network.weight[0] * (x - make_baseline(baseline, x, 5))
    for size in range(1, 18):
        given = explain(IG, wrap(network), x, steps=size, rule=rule, baseline=baseline, seed=5, micro_batch=size)
        again = explain(IG, wrap(network), x, steps=9, rule=rule, baseline=baseline, seed=5, micro_batch=size)
        assert torch.allclose(given.values, expected, atol=1e-5)
        assert torch.allclose(again.values, expected, atol=1e-5)
        assert complete(given.diagnostics["completeness"])
        assert given.diagnostics["gradient_evaluations"] == size


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("baseline", BASELINES)
def test_integrated_gradients_of_a_quadratic_score(rule: str, baseline: str) -> None:
    """(x − x′)(a(x + x′) + b): both rules are exact for it with one step."""
    network, x = Quadratic(), random_picture(seed=4)
    zero = make_baseline(baseline, x, 0)
    expected = (x - zero) * (network.square[2] * (x + zero) + network.weight[2])
    from gradoscope.attribution.score import Score

    for steps, size in ((1, 1), (2, 17), (50, 7), (200, 16)):
        options = {"steps": steps, "rule": rule, "baseline": baseline, "micro_batch": size}
        given = explain(IG, wrap(network), x, score=Score(2), **options)
        assert torch.allclose(given.values, expected, atol=2e-5)
        assert complete(given.diagnostics["completeness"])


@pytest.mark.parametrize(("rule", "steps", "below"), [("gauss_legendre", 12, 1e-6), ("midpoint", 400, 1e-4)])
def test_integrated_gradients_of_a_sine(rule: str, steps: int, below: float) -> None:
    """sin(a x) − sin(a x′) at each pixel, as PAIR saliency's tests have it."""
    network, x = Sine(), random_picture()
    given = explain(IG, wrap(network).double(), x.double(), steps=steps, rule=rule)
    assert relative(given.values, (3 * network.weight[0] * x.double()).sin()) < below


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 5, 8, 16, 17])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_blur_of_a_linear_score(schedule: str, micro_batch: int) -> None:
    """W ⊙ (x − L(σmax)) at any number of steps: the increments add up, whatever the schedule."""
    network, x = Linear(), random_picture(seed=2)
    for steps in (1, 2, 7, 30):
        options = {"steps": steps, "schedule": schedule, "max_sigma": 6.0, "micro_batch": micro_batch}
        given = explain(BLUR, wrap(network), x, **options)
        assert torch.allclose(given.values, network.weight[0] * (x - blur(x, 6.0)), atol=1e-5)
        assert complete(given.diagnostics["completeness"])


@pytest.mark.parametrize("network", [Quadratic(), Product()])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_blur_of_a_quadratic_score_is_complete_from_200_steps_on(schedule: str, network: nn.Module) -> None:
    x = random_picture(seed=2)
    for steps, size in ((200, 1), (200, 17), (400, 13)):
        options = {"steps": steps, "schedule": schedule, "max_sigma": 5.0, "micro_batch": size}
        record = explain(BLUR, wrap(network), x, **options).diagnostics["completeness"]
        assert abs(record["relative_error"]) < 1e-3


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_blur_values_against_a_fine_integral(schedule: str) -> None:
    """−∫ (2a L + b) ∂L/∂σ dσ has, pixel by pixel, the value a(x² − L²) + b(x − L) at σmax, whatever the path."""
    network, x = Quadratic(), random_picture(seed=2).double()
    end = torch.from_numpy(ndimage.gaussian_filter(x.numpy(), (0, 5, 5), mode="constant"))
    expected = network.square[0] * (x**2 - end**2) + network.weight[0] * (x - end)
    given = explain(BLUR, wrap(network).double(), x, steps=400, schedule=schedule, max_sigma=5.0)
    assert relative(given.values, expected) < 1e-2


def test_schedules_take_their_gradients_where_they_say() -> None:
    """σ at the middle of u's cell: quadratic σmax·u², linear σmax·u. The network keeps what it is shown."""
    for schedule, power in (("quadratic", 2), ("linear", 1)):
        shown: list[Tensor] = []

        class Keeping(Linear):
            def forward(self, x: Tensor) -> Tensor:
                if x.requires_grad:
                    shown.extend(x.detach())  # noqa: B023
                return super().forward(x)

        x = random_picture()
        explain(BLUR, wrap(Keeping()), x, steps=4, schedule=schedule, max_sigma=3.0)
        expected = [blur(x, 3.0 * ((i + 0.5) / 4) ** power) for i in (0, 2, 1, 3)]
        assert len(shown) == 4
        for picture, right in zip(shown, expected, strict=True):
            assert torch.allclose(picture, right, atol=1e-6)


@pytest.mark.parametrize("method", [IG, BLUR])
def test_micro_batch_does_not_matter(method: str) -> None:
    network, x = wrap(Tiny()).double(), random_picture().double()
    one = explain(method, network, x, steps=19, micro_batch=1).values
    for size in range(2, 18):
        assert relative(explain(method, network, x, steps=19, micro_batch=size).values, one) < 1e-12


@pytest.mark.parametrize("method", [IG, BLUR])
def test_black_picture_gives_zeros_and_no_relative_error(method: str) -> None:
    """The picture is its own baseline, and its own blur: nothing to share out, and no 0 / 0."""
    given = explain(method, wrap(Tiny()), torch.zeros(3, 8, 8), steps=5)
    assert not given.values.any()
    record = given.diagnostics["completeness"]
    assert record["expected"] == record["attributed"] == 0
    assert record["relative_error"] is None
    assert "same score" in record["reason"]


@pytest.mark.parametrize(("baseline", "value"), [("white", 1.0), ("mean", 0.25), ("blurred", 0.25)])
def test_picture_that_is_its_baseline_gives_zeros(baseline: str, value: float) -> None:
    given = explain(IG, wrap(Tiny()), torch.full((3, 8, 8), value), steps=3, baseline=baseline)
    assert float(given.values.abs().max()) < 1e-7
    assert given.diagnostics["completeness"]["relative_error"] is None


def test_blur_of_a_constant_picture_is_zero_where_the_border_is_far() -> None:
    """Zero padding darkens within 4σ of the border only."""
    given = explain(BLUR, wrap(Linear(40)), torch.full((3, 40, 40), 0.7), steps=6, max_sigma=3.0)
    assert float(given.values[:, 14:-14, 14:-14].abs().max()) < 1e-6
    assert float(given.values[:, 0].abs().max()) > 1e-2


def test_completeness() -> None:
    assert completeness(5, 1, 4.4) == {"expected": 4, "attributed": 4.4, "relative_error": pytest.approx(0.1)}
    assert completeness(1, 5, -4.4)["relative_error"] == pytest.approx(-0.1)  # signed: below what was expected
    assert completeness(100, 99.1, 0.9)["relative_error"] is None
    assert completeness(100, 98.9, 1.1)["relative_error"] == pytest.approx(0, abs=1e-9)
    assert completeness(-100, -99.1, 0.9)["relative_error"] is None
    assert completeness(0, 0, 0)["reason"]
    assert completeness(1e-30, 0, 1e-30)["relative_error"] == pytest.approx(0)


def test_score_that_is_not_finite_fails() -> None:
    """The gradients on the way may be finite where the score at an end is not; a NaN must not get into the record."""

    class Edge(Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 0 * (x.detach() / x.detach().amax((1, 2, 3), keepdim=True)).sum()

    with pytest.raises(ComputationFailed):
        explain(IG, wrap(Edge()), random_picture(), steps=3)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 8, 9, 50, 1000, 2000])
def test_spread_visits_each_step_once(steps: int) -> None:
    order = spread(steps)
    assert sorted(order) == list(range(steps))
    first = sorted(order[: max(1, steps // 4)])
    assert max(np.diff([0, *first, steps - 1]), default=0) <= max(8, steps / len(first) * 3)


@pytest.mark.parametrize("steps", [1, 2, 5, 50, 333])
def test_quadrature(steps: int) -> None:
    for rule in RULES:
        nodes, weights = quadrature(rule, steps)
        assert weights.sum() == pytest.approx(1)
        assert nodes.min() > 0
        assert nodes.max() < 1
        assert (weights * nodes).sum() == pytest.approx(1 / 2)
    nodes, weights = quadrature("gauss_legendre", steps)
    for power in range(min(2 * steps, 30)):
        assert (weights * nodes**power).sum() == pytest.approx(1 / (power + 1))


def test_estimates_on_the_way_are_scaled_to_the_whole_path() -> None:
    network, x = Linear(), random_picture()
    for method, change in ((IG, x), (BLUR, None)):
        yielded, attribution = finish(steps_of(method, wrap(network), x, steps=10))
        assert [(step.done, step.total) for step in yielded] == [(4, 10), (8, 10), (10, 10)]
        assert torch.allclose(yielded[-1].estimate, attribution.values)
        if change is not None:
            assert torch.allclose(yielded[0].estimate, network.weight[0] * change, atol=1e-5)


@pytest.mark.parametrize("kind", BASELINES)
def test_baselines(kind: str) -> None:
    x = random_picture(20, seed=8, width=30)
    given = make_baseline(kind, x, 3)
    assert given.shape == x.shape
    assert 0 <= float(given.min()) <= float(given.max()) <= 1
    expected = {"black": torch.zeros_like(x), "white": torch.ones_like(x)}
    expected["mean"] = x.flatten(1).mean(1).view(3, 1, 1).expand_as(x)
    if kind == "blurred":
        expected["blurred"] = torch.from_numpy(
            np.stack([ndimage.gaussian_filter(channel, 2, mode="constant") for channel in x.numpy()])
            / ndimage.gaussian_filter(np.ones((20, 30), np.float32), 2, mode="constant")
        )
    if kind == "noise":
        assert torch.equal(given, make_baseline(kind, x, 3))
        assert not torch.equal(given, make_baseline(kind, x, 4))
        assert torch.equal(given, make_baseline(kind, x, 3, 0))
        assert not torch.equal(given, make_baseline(kind, x, 3, 1))
        assert float(given.mean()) == pytest.approx(0.5, abs=0.05)
    else:
        assert torch.allclose(given, expected[kind], atol=1e-6)
        assert torch.equal(given, make_baseline(kind, x, 3, 1))


def test_seed_takes_part_only_with_the_noise_baseline() -> None:
    method = find_method(IG)
    assert [method.seeded(method.Parameters(baseline=kind)) for kind in BASELINES] == [False] * 4 + [True]
    blurring = find_method(BLUR)
    assert not blurring.seeded(blurring.Parameters())
