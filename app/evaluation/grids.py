"""The grid pointing game: four pictures of different classes in a grid; how much of a class's map lies in its cell?

Böhle, Fritz, Schiele 2021, arXiv:2104.00032; Rao, Böhle, Schiele 2022, arXiv:2205.10435. The right cell of a class's
map is known without manual annotations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image
from torch import Tensor

SIDE = 2  # cells in a row and in a column
CELLS = SIDE * SIDE
CHANCE = 1 / CELLS
TRIES = 50  # attempts for each grid to find a new one


def draw_grids(classes: Mapping[int, Sequence[str]], count: int, seed: int) -> list[tuple[str, ...]]:
    """Up to `count` different grids of pictures from four different classes, row by row, drawn with the seed.

    `classes` has the names of the pictures of each class. Four pictures give 24 grids.
    """
    available = sorted(classes)
    if len(available) < CELLS:
        return []
    rng = np.random.default_rng(seed)
    found: dict[tuple[str, ...], None] = {}
    for _ in range(TRIES * count):
        if len(found) == count:
            break
        drawn_classes = [available[index] for index in rng.choice(len(available), CELLS, replace=False)]
        found[tuple(classes[index][int(rng.integers(len(classes[index])))] for index in drawn_classes)] = None
    return list(found)


def compose(cells: Sequence[Image.Image]) -> Image.Image:
    """Put four pictures of the same size into one of twice the size, row by row."""
    width, height = cells[0].size
    grid = Image.new(cells[0].mode, (SIDE * width, SIDE * height))
    for index, cell in enumerate(cells):
        grid.paste(cell, (index % SIDE * width, index // SIDE * height))
    return grid


def is_hit(shares: Sequence[float], cell: int) -> bool:
    """Whether a cell has more of the positive attribution than each other one. A tie is none: a constant map would hit
    every cell."""
    return all(share < shares[cell] for index, share in enumerate(shares) if index != cell)


def localisation(values: Tensor) -> list[float] | None:
    """The share of the positive attribution in each cell of a map (C, H, W), row by row.

    L_k = Σ_{p in cell k} A⁺(p) / Σ_p A⁺(p), with A⁺ the positive part of the signed sum over channels. None if nothing
    is positive.
    """
    positive = values.detach().double().cpu().sum(0).clamp(min=0)
    total = float(positive.sum())
    if not total:
        return None
    rows, columns = ([round(k * side / SIDE) for k in range(SIDE + 1)] for side in positive.shape)
    return [
        float(positive[rows[i] : rows[i + 1], columns[j] : columns[j + 1]].sum()) / total
        for i in range(SIDE)
        for j in range(SIDE)
    ]
