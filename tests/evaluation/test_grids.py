"""The grid pointing game's arithmetic against a naive loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradoscope.evaluation.grids import compose, draw_grids, is_hit, localisation
from PIL import Image

from tests.support.nets import seeded


@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
@pytest.mark.parametrize("channels", [1, 3])
def test_localisation_is_the_naive_loops(channels, size):
    values = seeded((channels, *size))
    found = [0.0] * 4
    for row in range(size[0]):
        for column in range(size[1]):
            signed = sum(float(values[channel, row, column]) for channel in range(channels))
            below, right = row >= round(size[0] / 2), column >= round(size[1] / 2)
            found[2 * below + right] += max(0.0, signed)
    shares = localisation(values)
    assert shares == pytest.approx([value / sum(found) for value in found], rel=1e-6)
    assert sum(shares) == pytest.approx(1)


def test_what_is_negative_counts_nothing():
    values = -seeded((3, 4, 4)).abs()
    assert localisation(values) is None
    values[:, 3, 0] = 1.0
    assert localisation(values) == [0, 0, 1, 0]


def test_a_tie_is_no_hit():
    """Else a constant map would hit every cell of every grid, where chance hits one in four."""
    even = localisation(torch.ones(1, 8, 8))
    assert even == [0.25] * 4
    assert not any(is_hit(even, cell) for cell in range(4))
    assert [is_hit([0.1, 0.4, 0.3, 0.2], cell) for cell in range(4)] == [False, True, False, False]


def test_cells_are_row_by_row():
    cells = [Image.new("RGB", (3, 2), (10 * place, 0, 0)) for place in range(4)]
    pixels = np.asarray(compose(cells))
    assert pixels.shape == (4, 6, 3)
    assert [pixels[row, column, 0] for row in (0, 3) for column in (0, 5)] == [0, 10, 20, 30]
    assert compose([cell.convert("L") for cell in cells]).mode == "L"


def test_grids_are_of_four_classes_each_once():
    classes = {1: ["a", "b"], 5: ["c"], 7: ["d"], 9: ["e"], 11: ["f"]}
    of = {name: index for index, names in classes.items() for name in names}
    drawn = draw_grids(classes, 30, seed=0)
    assert len(set(drawn)) == 30
    assert all(len({of[name] for name in grid}) == 4 for grid in drawn)
    assert drawn == draw_grids(classes, 30, seed=0) != draw_grids(classes, 30, seed=1)
    assert {name for grid in drawn for name in grid} == set(of)


def test_there_are_no_more_grids_than_there_can_be():
    four = {index: [str(index)] for index in range(4)}
    assert 20 <= len(draw_grids(four, 100, seed=0)) <= 24
    assert draw_grids({0: ["a"], 1: ["b"], 2: ["c"]}, 5, seed=0) == []
