"""SmoothGrad's filter against a loop over tiles, on noise of a known size, and what it leaves as it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradoscope.attribution.methods.smooth_grad import mirrored
from gradoscope.attribution.methods.smooth_grad.wiener import wiener
from gradoscope.attribution.noise import noise
from pydantic import ValidationError
from torch import Tensor

from tests.support.nets import Sine, Tiny, explain, gradient, random_picture, relative, seeded, wrap


def smooth(side: int, seed: int = 0) -> Tensor:
    """A picture of low frequencies, whose strength differs from place to place."""
    coarse = seeded((1, 3, 6, 6), seed).double()
    fine = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=False)[0]
    return fine * torch.linspace(0, 2, side, dtype=torch.float64)


def halves(limit: Tensor, noise: float, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """The mean of two maps with independent noise, and the two."""
    one, other = (limit + noise * seeded(tuple(limit.shape), seed + k).double() for k in (0, 1))
    return (one + other) / 2, one, other


@pytest.mark.parametrize("size", [(4, 4), (5, 9), (8, 33), (37, 20), (64, 64)])
def test_halves_that_agree_leave_the_mean(size: tuple[int, int]) -> None:
    mean = seeded((3, *size)).double()
    filtered, error = wiener(mean, mean, mean)
    assert relative(filtered, mean) < 1e-12
    assert error == pytest.approx(0, abs=1e-6)


def test_zeros_and_pictures_of_a_pixel() -> None:
    zeros = torch.zeros(3, 16, 16, dtype=torch.float64)
    filtered, error = wiener(zeros, zeros, zeros)
    assert not filtered.any()
    assert error is None
    pixel = torch.ones(3, 1, 7, dtype=torch.float64)
    assert wiener(pixel, pixel, pixel)[0].equal(pixel)
    assert wiener(pixel, pixel, pixel)[1] is None


@pytest.mark.parametrize("noise", [0.2, 1.0, 3.0])
def test_it_is_closer_to_the_limit_and_says_how_close(noise: float) -> None:
    """Smooth maps under white noise: the error falls by a third at least, and the one that is told is the true one."""
    limit = smooth(64)
    mean, one, other = halves(limit, noise)
    filtered, told = wiener(mean, one, other)
    assert relative(filtered, limit) < 0.65 * relative(mean, limit)
    assert told == pytest.approx(relative(filtered, limit), rel=0.25)


def test_with_less_and_less_noise_it_tends_to_the_mean() -> None:
    moved = []
    for deviation in (1.0, 0.1, 0.01, 0.001):
        mean, one, other = halves(smooth(32), deviation)
        moved.append(relative(wiener(mean, one, other)[0], mean))
    assert moved == sorted(moved, reverse=True)
    assert moved[-1] < 1e-3


def test_against_a_loop_over_tiles() -> None:
    """Tile by tile with NumPy's full Fourier transform: 32 pixels across 8 tiles that overlap by half are 2 a step."""
    mean, one, other = halves(smooth(32), 0.7)
    side, step = 4, 2
    window = np.sqrt(np.outer(*[np.hanning(side + 1)[:-1]] * 2))
    frequency = np.fft.fftfreq(side)
    ring = np.round(np.hypot(frequency[:, None], frequency) * side / 2).astype(int)
    framed = [np.pad(part.numpy(), ((0, 0), (step, step), (step, step)), mode="reflect") for part in (mean, one, other)]
    total = np.zeros_like(framed[0])
    signal = left = 0.0
    for y in range(0, framed[0].shape[1] - step, step):
        for x in range(0, framed[0].shape[2] - step, step):
            whole, first, second = (np.fft.fft2(part[:, y : y + side, x : x + side] * window) for part in framed)
            weighted = np.zeros_like(whole)
            for r in range(ring.max() + 1):
                agreed = (first * second.conj()).real[:, ring == r].sum()
                power = (np.abs(whole) ** 2)[:, ring == r].sum()
                weight = min(max(agreed / power, 0), 1)
                weighted[:, ring == r] = weight * whole[:, ring == r]
                signal, left = signal + agreed, left + max(weight * (power - agreed), 0)
            total[:, y : y + side, x : x + side] += np.fft.ifft2(weighted).real * window
    filtered, error = wiener(mean, one, other)
    assert relative(filtered, torch.from_numpy(total[:, step:-step, step:-step].copy())) < 1e-12
    assert error == pytest.approx(math.sqrt(left / signal), rel=1e-9)


def test_smooth_grad_compares_every_other_pair() -> None:
    classifier, x = wrap(Sine(side=16), side=16).double(), random_picture(16).double()
    deviation = 0.3 * float(x.max() - x.min())
    noises = [e.double() for e in mirrored(lambda k: noise(5, k, tuple(x.shape)), 12)]
    taken = [gradient(classifier, x + deviation * e, lambda logits: logits[:, 0]) for e in noises]
    pairs = torch.stack(taken).unflatten(0, (6, 2)).mean(1)
    expected, error = wiener(pairs.mean(0), pairs[::2].mean(0), pairs[1::2].mean(0))
    actual = explain("smooth_grad", classifier, x, seed=5, samples=12, noise=0.3, filter="wiener")
    assert relative(actual.values, expected) < 1e-9
    assert actual.diagnostics["limit_error"] == pytest.approx(error, rel=1e-6)
    assert "standard_error" not in actual.diagnostics
    assert relative(actual.values, pairs.mean(0)) > 0.01  # it does something here


def test_without_noise_it_is_the_gradient() -> None:
    classifier, x = wrap(Tiny()).double(), random_picture().double()
    expected = gradient(classifier, x, lambda logits: logits[:, 0])
    actual = explain("smooth_grad", classifier, x, samples=8, noise=0.0, filter="wiener")
    assert relative(actual.values, expected) < 1e-6
    assert actual.diagnostics["limit_error"] == pytest.approx(0, abs=1e-5)


def test_the_limit_error_of_an_unfiltered_map() -> None:
    found = explain("smooth_grad", wrap(Tiny()), random_picture(), samples=10).diagnostics
    error = found["standard_error"]
    assert error is not None
    assert found["limit_error"] == pytest.approx(error / math.sqrt(1 - error**2))


@pytest.mark.parametrize(
    "options", [{"samples": 3}, {"variant": "squared"}, {"variant": "variance"}, {"filter": "median"}]
)
def test_what_it_does_not_go_with_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="filter"):
        explain("smooth_grad", wrap(Tiny()), random_picture(), **{"filter": "wiener", **options})
