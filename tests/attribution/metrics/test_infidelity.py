"""Infidelity against captum called directly, against the formula in NumPy, and where its value is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.metrics import infidelity
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.metrics.controls import centred_gaussian, moves
from gradoscope.attribution.metrics.squares import draw_square
from gradoscope.pipeline.findings import findings
from scipy.optimize import nnls
from scipy.stats import pearsonr
from torch import Tensor, nn

from tests.support.explained_maps import explained_map, measure, run
from tests.support.nets import Linear, Tiny, random_picture, seeded, wrap


def masks_of(subject, samples: int) -> Tensor:
    return torch.stack([draw_square(subject.size, subject.seed, k).mask(subject.picture) for k in range(samples)])


@pytest.mark.parametrize("method", ["vanilla_gradient", "integrated_gradients", "input_x_gradient", "grad_cam"])
@pytest.mark.parametrize("micro_batch", [1, 4, 100])
def test_against_captum_called_directly(method: str, micro_batch: int) -> None:
    """captum's factor β may be negative, ours may not. Where ours is 0, the map with its signs changed is compared."""
    subject = explained_map(method, values=seeded((1 if method == "grad_cam" else 3, 12, 12)), micro_batch=micro_batch)
    figures = measure("infidelity", subject, samples=10, replacement="black").figures
    model, picture = subject.classifier, subject.picture
    masks = masks_of(subject, 10)

    def remove(pictures: Tensor) -> tuple[Tensor, Tensor]:
        weights = masks * picture if method == "vanilla_gradient" else masks.expand(10, 3, 12, 12)
        return weights, pictures * (1 - masks)

    values = subject.values if method != "grad_cam" else subject.values.expand(3, 12, 12) / 3
    negated = explained_map(method, values=-subject.values)
    if not figures["scale"]:
        figures = measure("infidelity", negated, samples=10, replacement="black").figures
    for normalize, key in ((True, "infidelity"), (False, "changes")):
        maps = values[None] if normalize else torch.zeros(1, 3, 12, 12)  # zeros: what a map that says nothing misses
        (expected,) = infidelity(
            model, remove, picture[None], maps, target=0, n_perturb_samples=10, normalize=normalize
        )
        assert figures[key] == pytest.approx(float(expected), rel=1e-3)
    assert figures["unexplained"] == pytest.approx(figures["infidelity"] / figures["changes"])


@pytest.mark.parametrize("method", ["vanilla_gradient", "integrated_gradients"])
def test_the_formula_by_hand(method: str) -> None:
    """β by SciPy's least squares without negative factors, r by SciPy; the map and its controls, pixel by pixel."""
    subject = explained_map(method, values=seeded((3, 12, 12)).abs() + 0.1, seed=3)
    figures = measure("infidelity", subject, samples=12, replacement="black", draws=3).figures
    masks = masks_of(subject, 12)
    picture, values = subject.picture.double().numpy(), subject.values.double().numpy()
    with torch.no_grad():
        removed = subject.classifier(subject.picture * (1 - masks))[:, 0].double().numpy()
        changes = float(subject.classifier(subject.picture[None])[0, 0]) - removed
    squares = masks.double().numpy()

    def expected(weights: np.ndarray) -> dict[str, float]:
        forecast = np.array([(square * weights).sum() for square in squares])
        (scale,), residual = nnls(forecast[:, None], changes)
        unexplained = residual**2 / (changes**2).sum()
        return {"unexplained": unexplained, "scale": scale, "correlation": pearsonr(forecast, changes).statistic}

    def of(map_values: np.ndarray) -> np.ndarray:
        return map_values * picture if method == "vanilla_gradient" else map_values

    mine = expected(of(values))
    assert {name: figures[name] for name in mine} == pytest.approx(mine, rel=1e-4, abs=1e-6)
    assert figures["changes"] == pytest.approx((changes**2).mean(), rel=1e-5)
    assert figures["infidelity"] == pytest.approx(mine["unexplained"] * (changes**2).mean(), rel=1e-4)
    assert figures["constant"] == pytest.approx(expected(np.ones((1, 12, 12))), rel=1e-4, abs=1e-6)
    assert figures["gaussian"] == pytest.approx(expected(centred_gaussian((12, 12)).numpy()), rel=1e-4, abs=1e-6)
    elsewhere = [expected(of(np.roll(values, move, (1, 2)))) for move in moves((12, 12), draws=3, seed=3)]
    for actual, wanted in zip(figures["displaced"], elsewhere, strict=True):
        assert actual == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    shares = [one["unexplained"] for one in elsewhere]
    assert figures["displaced_unexplained"] == pytest.approx(np.mean(shares), rel=1e-4)
    assert figures["displaced_p"] == (1 + sum(share <= mine["unexplained"] for share in shares)) / 4


@pytest.mark.parametrize("method", ["vanilla_gradient", "input_x_gradient"])
def test_the_gradient_of_a_linear_score_predicts_everything(method: str) -> None:
    subject = explained_map(method, wrap(Linear()), random_picture(side=8))
    figures = measure("infidelity", subject, replacement="black").figures
    assert figures["unexplained"] == pytest.approx(0, abs=1e-9)
    assert figures["scale"] == pytest.approx(1, rel=1e-5)
    assert figures["correlation"] == pytest.approx(1)
    spoiled = explained_map(method, wrap(Linear()), random_picture(side=8), values=seeded((3, 8, 8), seed=9))
    assert measure("infidelity", spoiled, replacement="black").figures["unexplained"] > 0.5


@pytest.mark.parametrize("method", ["vanilla_gradient", "input_x_gradient"])
def test_a_map_with_its_signs_changed_predicts_nothing(method: str) -> None:
    right = explained_map(method, wrap(Linear()), random_picture(side=8))
    subject = explained_map(method, wrap(Linear()), random_picture(side=8), values=-right.values)
    figures = measure("infidelity", subject, replacement="black").figures
    assert figures["scale"] == 0
    assert figures["unexplained"] == 1
    assert figures["correlation"] == pytest.approx(-1)
    assert [found.code for found in findings("infidelity", figures, find_method(method))] == ["infidelity_wrong_sign"]


class Brightness(nn.Module):
    """The sum over the whole picture: how large a square is says all."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((1, 2, 3))[:, None] * torch.tensor([[1.0, 2.0, 3.0]])


def test_a_constant_map_is_told_where_it_does_as_well() -> None:
    """Each pixel of a grey picture counts the same. A map of noise around a mean explains most of that, no more than a
    constant one, and the finding says so."""
    picture = torch.full((3, 16, 16), 0.5)
    noisy = 1 + 0.5 * seeded((3, 16, 16))
    subject = explained_map("integrated_gradients", wrap(Brightness(), side=16), picture, noisy)
    figures = measure("infidelity", subject, replacement="black").figures
    assert figures["unexplained"] < 0.1
    assert figures["constant"]["unexplained"] == pytest.approx(0, abs=1e-9)
    assert figures["constant"]["scale"] == pytest.approx(1.5, rel=1e-5)
    found = findings("infidelity", figures, find_method("integrated_gradients"))
    assert (found[0].code, found[0].level) == ("infidelity_constant_as_good", "note")


class Corner(nn.Module):
    """The sum over one quarter of the picture."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :8, :8].sum((1, 2, 3))[:, None] * torch.tensor([[1.0, 2.0, 3.0]])


def test_a_map_of_the_right_place_beats_its_controls() -> None:
    picture = torch.full((3, 16, 16), 0.5)
    right = torch.zeros(3, 16, 16)
    right[:, :8, :8] = 0.5
    subject = explained_map("integrated_gradients", wrap(Corner(), side=16), picture, right)
    figures = measure("infidelity", subject, replacement="black").figures
    assert figures["unexplained"] == pytest.approx(0, abs=1e-9)
    assert figures["displaced_p"] == 1 / 25
    found = findings("infidelity", figures, find_method("integrated_gradients"))
    assert (found[0].code, found[0].level) == ("infidelity_foretells", "support")
    wrong = explained_map("integrated_gradients", wrap(Corner(), side=16), picture, right.roll((8, 8), (1, 2)))
    found = findings("infidelity", measure("infidelity", wrong).figures, find_method("integrated_gradients"))
    assert found[0].level != "support"


def test_a_map_of_zeros_and_a_flat_score_have_a_reason() -> None:
    class Flat(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 0 + 1

    zeros = explained_map("grad_cam", values=torch.zeros(1, 12, 12))
    flat = explained_map(model=wrap(Flat(), side=12), values=seeded((3, 12, 12)))
    for subject, reason in ((zeros, "zero everywhere"), (flat, "no square")):
        yielded, actual = run("infidelity", subject)
        assert actual.figures["infidelity"] is actual.figures["unexplained"] is None
        assert reason in actual.figures["reason"]
        assert yielded[-1].done == yielded[-1].total


def test_squares_lie_within_and_come_from_the_seed() -> None:
    picture = make_baseline("mean", random_picture(9, width=16), seed=0)
    drawn = torch.stack([draw_square((9, 16), 0, k).mask(picture) for k in range(50)])
    assert torch.equal(drawn[3], draw_square((9, 16), 0, 3).mask(picture))
    assert not torch.equal(drawn, torch.stack([draw_square((9, 16), 1, k).mask(picture) for k in range(50)]))
    areas = drawn.sum((1, 2, 3)).sqrt()
    assert set(areas.tolist()) <= {1, 2, 3, 4}
    assert drawn.amax((0, 1, 3)).all()
