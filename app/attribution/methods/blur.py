"""Gaussian blur as two matrix products: exact, and in batches on any device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

TRUNCATE = 4.0  # standard deviations, as scipy.ndimage.gaussian_filter


def blur(picture: Tensor, sigma: float) -> Tensor:
    """`picture` (…, H, W) blurred with a Gaussian of standard deviation `sigma` pixels, truncated at 4σ, zero-padded.

    Equals `scipy.ndimage.gaussian_filter(mode="constant")` along the last two axes; σ = 0 gives the picture itself.
    """
    if radius_of(sigma) == 0:
        return picture
    height, width = picture.shape[-2:]
    rows = toeplitz(height, sigma)
    columns = rows if width == height else toeplitz(width, sigma)
    # The mean is blurred by itself: sums of values around 0 stay small, and their rounding errors are a fifth as large.
    mean = picture.mean((-2, -1), keepdim=True)
    blurred_mean = mean * torch.outer(rows.sum(1), columns.sum(1)).to(picture)
    rows, columns = rows.to(picture), columns.to(picture)
    across = ((picture - mean).reshape(-1, width) @ columns).view(picture.shape)  # one product for all channels
    return rows @ across + blurred_mean


def radius_of(sigma: float) -> int:
    """Where the kernel ends, in pixels from its centre; 0 where it is a single pixel, which blurs nothing."""
    return int(TRUNCATE * sigma + 0.5)


def toeplitz(size: int, sigma: float) -> Tensor:
    """The (size, size) matrix that blurs a signal of `size` values; symmetric, float64."""
    radius = radius_of(sigma)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    line, reach = np.zeros(2 * size - 1), min(radius, size - 1)  # the matrix's diagonals, from corner to corner
    line[size - 1 - reach : size + reach] = kernel[radius - reach : radius + reach + 1]
    return torch.from_numpy(line).unfold(0, size, 1).flip(0)
