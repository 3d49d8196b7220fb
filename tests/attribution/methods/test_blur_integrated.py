"""Blur integrated gradients of scores whose integrals can be written down: every schedule and tolerance."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.methods import blur_integrated_gradients as blur_integrated
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.blur import blur
from scipy import ndimage
from torch import nn

from tests.support.nets import Keeping, Linear, Product, Quadratic, complete, explain, random_picture, relative, wrap

SCHEDULES = ("hyperbolic", "quadratic", "linear")
BLUR = "blur_integrated_gradients"


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 5, 8, 16, 17])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_linear_score(schedule: str, micro_batch: int) -> None:
    """W ⊙ (x − L(σmax)) at any number of steps: the increments add up, whatever the schedule."""
    network, x = Linear(), random_picture(seed=2)
    for steps, tolerance in (
        (1, 0.0),
        (2, 0.0),
        (7, 0.0),
        (30, 0.0),
        (1, 0.1),
        (2, 0.1),
        (7, 0.1),
        (30, 1e-4),
        (500, 1e-4),
    ):
        options = {
            "steps": steps,
            "schedule": schedule,
            "max_sigma": 6.0,
            "micro_batch": micro_batch,
            "tolerance": tolerance,
        }
        actual = explain(BLUR, wrap(network), x, **options)
        assert torch.allclose(actual.values, network.weight[0] * (x - blur(x, 6.0)), atol=1e-5)
        assert complete(actual.diagnostics["completeness"])


@pytest.mark.parametrize("network", [Quadratic(), Product()])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_quadratic_score_is_complete_from_200_steps_on(schedule: str, network: nn.Module) -> None:
    x = random_picture(seed=2)
    for steps, size in ((200, 1), (200, 17), (400, 13)):
        options = {"steps": steps, "schedule": schedule, "max_sigma": 5.0, "micro_batch": size}
        record = explain(BLUR, wrap(network), x, **options).diagnostics["completeness"]
        assert abs(record["relative_error"]) < 1e-3


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_values_against_a_fine_integral(schedule: str) -> None:
    """−∫ (2a L + b) ∂L/∂σ dσ has, pixel by pixel, the value a(x² − L²) + b(x − L) at σmax, whatever the path."""
    network, x = Quadratic(), random_picture(seed=2).double()
    end = torch.from_numpy(ndimage.gaussian_filter(x.numpy(), (0, 5, 5), mode="constant"))
    expected = network.square[0] * (x**2 - end**2) + network.weight[0] * (x - end)
    actual = explain(BLUR, wrap(network).double(), x, steps=400, schedule=schedule, max_sigma=5.0)
    assert relative(actual.values, expected) < 1e-2


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_values_with_a_tolerance(schedule: str) -> None:
    network, x = Quadratic(), random_picture(seed=2).double()
    end = blur(x, 5)
    expected = network.square[0] * (x**2 - end**2) + network.weight[0] * (x - end)
    options = {"steps": 2000, "schedule": schedule, "max_sigma": 5.0}
    needed = []
    for tolerance in (1e-1, 1e-3, 1e-4):
        actual = explain(BLUR, wrap(network).double(), x, tolerance=tolerance, **options)
        assert actual.diagnostics["converged"]
        assert relative(actual.values, expected) < 2 * tolerance
        assert actual.diagnostics["change"] <= tolerance
        needed.append(actual.diagnostics["gradient_evaluations"])
    assert needed == sorted(needed)
    assert needed[0] < needed[2]


@pytest.mark.parametrize("max_sigma", [3.0, 50.0])
def test_schedules_take_their_gradients_where_they_say(max_sigma: float) -> None:
    """σ at the middle of u's cell: quadratic σmax·u², linear σmax·u, hyperbolic u ∝ σ/(σ + 9)."""
    u = [(i + 0.5) / 4 for i in (0, 2, 1, 3)]
    whole = max_sigma / (max_sigma + 9)
    sigmas = {
        "quadratic": [max_sigma * v**2 for v in u],
        "linear": [max_sigma * v for v in u],
        "hyperbolic": [9 * v * whole / (1 - v * whole) for v in u],
    }
    for schedule, expected in sigmas.items():
        network, x = Keeping(), random_picture()
        explain(BLUR, wrap(network), x, steps=4, schedule=schedule, max_sigma=max_sigma)
        assert torch.allclose(
            torch.stack(network.shown), torch.stack([blur(x, sigma) for sigma in expected]), atol=1e-6
        )


def test_constant_picture_is_zero_where_the_border_is_far() -> None:
    """Zero padding darkens within 4σ of the border only."""
    actual = explain(BLUR, wrap(Linear(40)), torch.full((3, 40, 40), 0.7), steps=6, max_sigma=3.0)
    assert float(actual.values[:, 14:-14, 14:-14].abs().max()) < 1e-6
    assert float(actual.values[:, 0].abs().max()) > 1e-2


def test_seed_takes_no_part() -> None:
    assert not find_method(BLUR).stochastic(find_method(BLUR).Parameters())


def test_cells_share_their_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step covers a cell of the path, and needs the picture blurred at its middle and at both edges. Two blurs a step
    if the next cell can keep the edge that it shares; three if there is no memory for that."""
    x, made = random_picture(seed=2), []

    def counted(picture: torch.Tensor, sigma: float) -> torch.Tensor:
        made.append(sigma)
        return blur(picture, sigma)

    monkeypatch.setattr(blur_integrated, "blur", counted)
    maps = []
    for room, blurs in ((blur_integrated.MAX_EDGES_BYTES, 2 * 20 + 1), (x.nbytes, None), (0, 3 * 20)):
        monkeypatch.setattr(blur_integrated, "MAX_EDGES_BYTES", room)
        made.clear()
        maps.append(explain(BLUR, wrap(Quadratic()), x, steps=20).values)
        # the sharp picture needs no blur and is not counted apart; the blurred end is asked for its score too
        assert blurs is None or abs(len(made) - blurs) <= 2
    assert torch.equal(maps[0], maps[1])
    assert torch.equal(maps[0], maps[2])
