"""Infidelity against captum called directly, and where it is known."""

from __future__ import annotations

import pytest
import torch
from captum.metrics import infidelity
from gradoscope.attribution.methods.baselines import make_baseline
from gradoscope.attribution.metrics.infidelity import square
from torch import Tensor

from tests.support.judged import measure, run, subject
from tests.support.nets import Linear, Tiny, random_picture, seeded, wrap


@pytest.mark.parametrize("method", ["vanilla_gradient", "integrated_gradients", "grad_cam"])
@pytest.mark.parametrize("micro_batch", [1, 4, 100])
def test_against_captum_called_directly(method: str, micro_batch: int) -> None:
    asked = subject(method, values=seeded((1 if method == "grad_cam" else 3, 12, 12)), micro_batch=micro_batch)
    figures = measure("infidelity", asked, samples=10, replacement="black").figures
    model, picture = asked.classifier, asked.picture
    masks = torch.stack([square(asked, k) for k in range(10)])

    def remove(pictures: Tensor) -> tuple[Tensor, Tensor]:
        weights = masks * picture if method == "vanilla_gradient" else masks.expand(10, 3, 12, 12)
        return weights, pictures * (1 - masks)

    values = asked.values if method != "grad_cam" else asked.values.expand(3, 12, 12) / 3
    for normalize, key in ((True, "infidelity"), (False, "changes")):
        maps = values[None] if normalize else torch.zeros(1, 3, 12, 12)  # zeros: what a map that says nothing misses
        (expected,) = infidelity(
            model, remove, picture[None], maps, target=0, n_perturb_samples=10, normalize=normalize
        )
        assert figures[key] == pytest.approx(float(expected), rel=1e-3)
    assert figures["unexplained"] == pytest.approx(figures["infidelity"] / figures["changes"])


@pytest.mark.parametrize("method", ["vanilla_gradient", "input_x_gradient"])
def test_of_a_linear_score_the_gradient_foretells_all(method: str) -> None:
    asked = subject(method, wrap(Linear()), random_picture(8))
    assert measure("infidelity", asked, replacement="black").figures["unexplained"] == pytest.approx(0, abs=1e-9)
    spoiled = subject(method, wrap(Linear()), random_picture(8), values=seeded((3, 8, 8), 9))
    assert measure("infidelity", spoiled, replacement="black").figures["unexplained"] > 0.5


def test_a_map_of_zeros_and_a_flat_score_have_a_reason() -> None:
    class Flat(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 0 + 1

    zeros = subject("grad_cam", values=torch.zeros(1, 12, 12))
    flat = subject(model=wrap(Flat(), side=12), values=seeded((3, 12, 12)))
    for asked, reason in ((zeros, "zero everywhere"), (flat, "no square")):
        yielded, given = run("infidelity", asked)
        assert given.figures["infidelity"] is given.figures["unexplained"] is None
        assert reason in given.figures["reason"]
        assert yielded[-1].done == yielded[-1].total


def test_squares_lie_within_and_come_from_the_seed() -> None:
    asked, other = (subject(picture=make_baseline("mean", random_picture(9, width=16), 0), seed=s) for s in (0, 1))
    drawn = torch.stack([square(asked, k) for k in range(50)])
    assert torch.equal(drawn[3], square(asked, 3))
    assert not torch.equal(drawn, torch.stack([square(other, k) for k in range(50)]))
    areas = drawn.sum((1, 2, 3)).sqrt()
    assert set(areas.tolist()) <= {1, 2, 3, 4}
    assert drawn.amax((0, 1, 3)).all()
