"""Rank correlation against scipy, SSIM against scikit-image."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.metrics.similarity import importance, map_similarity, rank_correlation, rescaled, ssim
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from tests.support.nets import random_picture, seeded


@pytest.mark.parametrize("ties", [False, True])
def test_rank_correlation(ties: bool) -> None:
    one, other = seeded((20, 30)), seeded((20, 30), seed=1)
    other = other + 0.5 * one
    if ties:
        one, other = one.relu(), other.round()
    assert rank_correlation(one, other) == pytest.approx(spearmanr(one.ravel(), other.ravel()).statistic, abs=1e-12)


def test_constant_maps_have_no_rank() -> None:
    assert rank_correlation(torch.zeros(4, 4), seeded((4, 4))) is None


@pytest.mark.parametrize("size", [(7, 7), (12, 31), (64, 64)])
def test_ssim(size: tuple[int, int]) -> None:
    one = rescaled(seeded(size).double())
    for share in (0.0, 0.5, 1.0):
        other = rescaled(share * one + (1 - share) * rescaled(seeded(size, seed=1).double()))
        expected = structural_similarity(one.numpy(), other.numpy(), data_range=1)
        assert ssim(one, other) == pytest.approx(expected, abs=1e-9)


def test_ssim_of_maps_smaller_than_its_window() -> None:
    one, other = rescaled(seeded((5, 4)).double()), rescaled(seeded((5, 4), seed=1).double())
    expected = structural_similarity(one.numpy(), other.numpy(), data_range=1, win_size=3)
    assert ssim(one, other) == pytest.approx(expected, abs=1e-9)


def test_importance_is_absolute_for_pixels_and_as_it_is_for_cams() -> None:
    values = random_picture(side=4) - 0.5
    assert torch.equal(importance(values, find_method("vanilla_gradient")), values.double().abs().sum(0))
    assert torch.equal(importance(values[:1], find_method("vanilla_gradient")), values[0].double().abs())  # grey
    for method in ("grad_cam", "occlusion"):
        assert torch.equal(importance(values[:1], find_method(method)), values[0].double())


def test_a_map_is_like_itself_and_its_negative_in_strength_only() -> None:
    values = seeded((3, 9, 9))
    same = map_similarity(values, values, find_method("vanilla_gradient"))
    assert same == pytest.approx({"rank_correlation": 1, "signed_rank_correlation": 1, "ssim": 1})
    opposite = map_similarity(values, -values, find_method("vanilla_gradient"))
    assert opposite == pytest.approx({"rank_correlation": 1, "signed_rank_correlation": -1, "ssim": 1})
    nothing = map_similarity(values, torch.zeros_like(values), find_method("vanilla_gradient"))
    assert nothing == {"rank_correlation": None, "signed_rank_correlation": None, "ssim": None}
