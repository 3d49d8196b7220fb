"""Squares of a picture drawn at random: where it is perturbed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..noise import generator

SMALLEST, LARGEST = 1 / 8, 1 / 2  # side of a square, as a share of the picture's shorter one


@dataclass(frozen=True)
class Square:
    """The pixels from (top, left) on; `side` of them each way."""

    top: int
    left: int
    side: int

    def mask(self, like: Tensor) -> Tensor:
        """1 within the square, else 0: (1, H, W), for a picture `like` (C, H, W)."""
        mask = like.new_zeros(1, *like.shape[-2:])
        mask[:, self.top : self.top + self.side, self.left : self.left + self.side] = 1
        return mask


def draw_square(size: tuple[int, int], seed: int, index: int, largest: float = LARGEST) -> Square:
    """Square `index`, of a picture of `size`: its side drawn uniformly from an eighth of the shorter side to `largest`
    of it, its place uniformly among all that lie within."""
    u = torch.rand(3, generator=generator(seed, "square", index)).tolist()
    height, width = size
    side = max(1, round((SMALLEST + (largest - SMALLEST) * u[0]) * min(height, width)))
    return Square(int(u[1] * (height - side + 1)), int(u[2] * (width - side + 1)), side)
