"""The check passes on the plain gradient, and on nothing else."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.errors import Refused
from torch import Tensor, nn

from tests.support.judged import measure, subject
from tests.support.nets import Quadratic, Tiny, random_picture, wrap


@pytest.mark.parametrize("network", [Tiny(), Tiny(nn.SiLU(), seed=3), Quadratic()])
def test_the_gradient_passes(network: nn.Module) -> None:
    asked = subject(model=wrap(network), picture=random_picture(8))
    figures = measure("gradient_check", asked).figures
    assert figures["passed"]
    assert figures["relative_error"] < 1e-4
    assert len(figures["slopes"]) == len(figures["expected"]) == 16
    assert asked.classifier.dtype == torch.float32


def test_slopes_of_a_closed_form() -> None:
    """Of y = Σ (a x² + b x) the slope along v is Σ (2 a x + b) v, and central differences have no error."""
    network, picture = Quadratic(), random_picture(8)
    asked = subject(model=wrap(network), picture=picture)
    figures = measure("gradient_check", asked, directions=3, step=0.01).figures
    exact = (2 * network.square[0] * picture + network.weight[0]).detach().double()
    for index, slope in enumerate(figures["expected"]):
        drawn = torch.randn((3, 8, 8), generator=_generator(index)).double()
        assert slope == pytest.approx(float((exact * drawn / drawn.norm()).sum()), rel=1e-6)


def _generator(index: int) -> torch.Generator:
    from gradoscope.attribution.noise import generator

    return generator(0, index)


@pytest.mark.parametrize("method", ["guided_backprop", "deconvolution", "input_x_gradient"])
def test_other_methods_fail(method: str) -> None:
    figures = measure("gradient_check", subject(method)).figures
    assert not figures["passed"]
    assert figures["relative_error"] > 0.1


def _scaled(values: Tensor) -> Tensor:
    return values * 1.05


def _swapped(values: Tensor) -> Tensor:
    return values.flip(0)


def _shifted(values: Tensor) -> Tensor:
    return values.roll(1, -1)


def _spotted(values: Tensor) -> Tensor:
    spoiled = values.clone()
    spoiled[0, 3, 3] += float(values.norm()) / 5
    return spoiled


@pytest.mark.parametrize("spoil", [_scaled, _swapped, _shifted, _spotted])
def test_a_spoiled_gradient_fails(spoil) -> None:
    asked = subject()
    figures = measure("gradient_check", subject(values=spoil(asked.values))).figures
    assert not figures["passed"]


def test_a_flat_score_passes_nothing() -> None:
    class Flat(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 0

    figures = measure("gradient_check", subject(model=wrap(Flat(), side=12))).figures
    assert figures["relative_error"] is None
    assert not figures["passed"]


def test_a_cam_is_refused() -> None:
    with pytest.raises(Refused, match="no gradient"):
        measure("gradient_check", subject("grad_cam"))
