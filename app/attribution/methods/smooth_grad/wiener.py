"""A Wiener filter for a mean over random samples, from how far two halves of the samples agree."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import fold, pad, unfold

TILES_ACROSS = 8  # tiles along the shorter side, each overlapping the next by half
MIN_SIDE = 4  # of a picture, for there to be frequencies to tell apart


def wiener(mean: Tensor, one: Tensor, other: Tensor) -> tuple[Tensor, float | None]:
    """`mean`, (C, H, W) in float64, with what is noise in it held down, and the error that is left, relative to the
    limit; None where nothing of it is seen. `one` and `other` are the means of two halves of the samples.

    With F the Fourier transform of a tile of the mean and F₁, F₂ those of its halves, a ring of spatial frequencies,
    over all channels, is multiplied by w = Σ Re F₁F₂* / Σ |F|², held to [0, 1]. The numerator's expectation is |F|² of
    the limit, since the noise of the halves is independent; so w is the weight with the least expected squared error
    (Wiener), and 1 where halves agree: with many samples the result is the mean itself. The error that is left is
    √(Σ w (|F|² − S) / Σ S), S = Re F₁F₂*. Rosenthal, Henderson 2003, doi:10.1016/j.jmb.2003.07.013, weight maps of
    cryo-microscopy in this way, by the correlation of two half maps in each shell of frequencies.
    """
    height, width = mean.shape[-2:]
    if min(height, width) < MIN_SIDE:
        return mean.clone(), None
    step = max(1, round(min(height, width) / TILES_ACROSS / 2))
    tiles = Tiles(height, width, step)
    whole, first, second = (torch.fft.rfft2(tiles.cut(part)) for part in (mean, one, other))
    power, agreed = tiles.by_ring(whole.abs().square()), tiles.by_ring((first * second.conj()).real)
    weight = torch.where(power > 0, agreed / power, 0).clamp(0, 1)
    filtered = torch.fft.irfft2(whole * tiles.of_ring(weight), (2 * step, 2 * step))
    limit, left = float(agreed.sum()), float((weight * (power - agreed)).clamp_min(0).sum())
    return tiles.join(filtered), math.sqrt(left / limit) if limit > 0 else None


class Tiles:
    """Square tiles of 2 `step` pixels, one every `step`, under windows whose squares add up to 1."""

    def __init__(self, height: int, width: int, step: int) -> None:
        self.height, self.width, self.step, self.side = height, width, step, 2 * step
        self.padded = [2 * step + math.ceil(side / step) * step for side in (height, width)]
        hann = torch.hann_window(self.side, dtype=torch.float64)
        self.window = (hann[:, None] * hann).sqrt()
        across = torch.hypot(torch.fft.fftfreq(self.side)[:, None], torch.fft.rfftfreq(self.side)[None])
        self.ring = (across * self.side / 2).round().long()  # two steps of frequency wide
        self.rings = int(self.ring.max()) + 1
        self.count = torch.full(self.ring.shape, 2.0, dtype=torch.float64)  # frequencies that an entry stands for
        self.count[:, 0] = self.count[:, -1] = 1

    def cut(self, picture: Tensor) -> Tensor:
        """The tiles of (C, H, W), mirrored at its border: (tiles, C, side, side)."""
        high, wide = self.padded
        below, right = high - self.height - self.step, wide - self.width - self.step
        framed = pad(picture[None], (self.step, right, self.step, below), mode="reflect")
        cut = unfold(framed, self.side, stride=self.step)[0].T
        return cut.reshape(len(cut), -1, self.side, self.side) * self.window.to(picture.device)

    def join(self, tiles: Tensor) -> Tensor:
        """The picture of these tiles."""
        windowed = (tiles * self.window.to(tiles.device)).flatten(1).T[None]
        joined = fold(windowed, (self.padded[0], self.padded[1]), self.side, stride=self.step)[0]
        return joined[:, self.step : self.step + self.height, self.step : self.step + self.width]

    def by_ring(self, spectrum: Tensor) -> Tensor:
        """The sums over each ring of frequencies and all channels: (tiles, rings)."""
        values = (spectrum * self.count.to(spectrum.device)).sum(1).flatten(1)
        sums = values.new_zeros(len(values), self.rings)
        return sums.index_add_(1, self.ring.flatten().to(values.device), values)

    def of_ring(self, values: Tensor) -> Tensor:
        """A value for each ring as one for each frequency: (tiles, 1, side, side / 2 + 1)."""
        return values[:, self.ring.to(values.device)][:, None]
