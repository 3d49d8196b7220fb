"""What stands for «nothing there»: the start of a path, or the filling of an occluded patch."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..noise import noise
from .blur import blur

Baseline = Literal["black", "white", "mean", "blurred", "noise"]


def make_baseline(kind: Baseline, picture: Tensor, seed: int, index: int = 0) -> Tensor:
    """A baseline of the shape of `picture`, (C, H, W) in [0, 1].

    mean: the picture's own, per channel · blurred: a Gaussian of a tenth of the shorter side, weighted at the border
    so that it does not darken · noise: normal around 0.5 with standard deviation 0.25, cut to [0, 1], by the seed, and
    another one for each `index`.
    """
    if kind == "black":
        return torch.zeros_like(picture)
    if kind == "white":
        return torch.ones_like(picture)
    if kind == "mean":
        return picture.mean((1, 2), keepdim=True).expand_as(picture).contiguous()
    if kind == "blurred":
        sigma = min(picture.shape[-2:]) / 10
        return blur(picture, sigma) / blur(torch.ones_like(picture), sigma)
    return (0.5 + 0.25 * noise(seed, index, picture.shape).to(picture)).clamp(0, 1)
