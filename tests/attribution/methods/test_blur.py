"""The blur against scipy, which PAIR saliency uses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradoscope.attribution.methods.blur import blur, toeplitz
from scipy import ndimage

from tests.support.nets import random_picture


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2, 0.5, 0.87, 1.0, 1.3, 2.0, 3.7, 8.0, 20.0, 50.0, 200.0, 500.0])
@pytest.mark.parametrize("size", [(24, 24), (17, 40), (40, 3), (1, 9), (1, 1)])
def test_equals_scipy(size: tuple[int, int], sigma: float) -> None:
    """Also where σ is larger than the picture, which darkens to nothing."""
    picture = random_picture(size[0], width=size[1])
    expected = ndimage.gaussian_filter(picture.double().numpy(), (0, sigma, sigma), mode="constant")
    assert np.abs(blur(picture, sigma).numpy() - expected).max() < 4e-7
    assert np.abs(blur(picture.double(), sigma).numpy() - expected).max() < 1e-14


def test_equals_scipy_at_the_size_of_a_model() -> None:
    picture = random_picture(side=224)
    for sigma in (0.3, 4.9, 49.0):
        expected = ndimage.gaussian_filter(picture.double().numpy(), (0, sigma, sigma), mode="constant")
        assert np.abs(blur(picture, sigma).numpy() - expected).max() < 2e-7


def test_no_blur_is_the_picture_itself() -> None:
    picture = random_picture()
    assert torch.equal(blur(picture, 0), picture)
    assert torch.equal(blur(picture, 1e-9), picture)


def test_batches() -> None:
    pictures = torch.stack([random_picture(side=12, seed=seed) for seed in range(3)])
    assert torch.allclose(blur(pictures, 2)[1], blur(pictures[1], 2), atol=1e-7)


def test_matrix_is_symmetric_and_keeps_the_sum_inside() -> None:
    matrix = toeplitz(101, 3)
    assert torch.equal(matrix, matrix.T)
    assert float(matrix[50].sum()) == pytest.approx(1, abs=1e-12)
    assert float(matrix[0].sum()) < 0.6  # zero padding: the border darkens
    assert int((matrix[50] > 0).sum()) == 25  # truncated at 4σ
