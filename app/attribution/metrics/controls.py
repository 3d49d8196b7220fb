"""What a map is compared with: itself at other places, and a Gaussian at the centre; and how sure a comparison is.

`p_value` is exact for maps whose place is a chance one: moved round the border by the steps of a grid that divides each
side evenly, a map takes n² places, and no place among them is special. So the rank of the map's own place is
uniform over 1 … n² (a group invariance test: Lehmann, Romano 2005, Testing Statistical Hypotheses, 15.2). Moves drawn
from a part of the picture only, such as the half that is farthest away, would not have this property: what is measured
at neighbouring places is alike, so the map would be first among them far too often.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ..noise import generator

GAUSSIAN = 0.25  # standard deviation of the centred control, as a share of the side
SIGNIFICANT = 0.05  # a p-value up to this counts
ENOUGH_DRAWS = 19  # draws of which a map can be the best with p = 0.05
Verdict = Literal["better", "few draws", "unclear", "no better"]


def moves(size: tuple[int, int], draws: int, seed: int) -> list[tuple[int, int]]:
    """`draws` different moves of a map of this size, (rows, columns), in an order drawn by the seed.

    They are steps of the coarsest grid of n × n places that has enough of them beside the map's own: with 3 draws half
    of a side, with 24 fifths.
    """
    n = math.isqrt(draws) + 1
    height, width = size
    drawn = torch.randperm(n * n - 1, generator=generator(seed, "moves")).tolist()[:draws]
    steps = (divmod(place + 1, n) for place in drawn)  # 0 is the map's own place
    return [(round(row * height / n), round(column * width / n)) for row, column in steps]


def moved(values: Tensor, move: tuple[int, int]) -> Tensor:
    """A map (…, H, W) moved by (rows, columns); what leaves it comes in on the other side."""
    return values.roll(move, (-2, -1))


def centred_gaussian(size: tuple[int, int]) -> Tensor:
    """exp(−(u² + v²) / 2σ²), u and v from −½ to ½ across each side, σ a quarter: (H, W)."""
    rows, columns = (((torch.arange(side, dtype=torch.float64) + 0.5) / side - 0.5) for side in size)
    return torch.exp(-(rows[:, None] ** 2 + columns**2) / (2 * GAUSSIAN**2))


def p_value(gains: Sequence[float]) -> float:
    """(1 + how many of the draws are at least as good as the map) / (1 + draws), from the map's gains over them."""
    return (1 + sum(gain <= 0 for gain in gains)) / (1 + len(gains))


def against(value: float, drawn: Sequence[float], sign: int, margin: float) -> Verdict:
    """Whether `value` is better than those drawn; `sign` is 1 where higher is better, else −1.

    No better: by no more than `margin` on average. Better: p ≤ 0.05. Few draws: better than each of them, of which
    there are too few for that.
    """
    gains = [sign * (value - other) for other in drawn]
    if sum(gains) / len(gains) <= margin:
        return "no better"
    if p_value(gains) <= SIGNIFICANT:
        return "better"
    return "few draws" if min(gains) > 0 else "unclear"
