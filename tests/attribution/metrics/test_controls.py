"""Displaced maps, and how sure a comparison with them is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradoscope.attribution.metrics.controls import against, moved, moves, p_value
from scipy.ndimage import gaussian_filter

from tests.support.nets import random_picture


@pytest.mark.parametrize(("draws", "n"), [(3, 2), (8, 3), (19, 5), (24, 5), (25, 6), (99, 10)])
def test_moves_are_steps_of_a_grid_and_never_the_maps_own_place(draws: int, n: int) -> None:
    found = moves((60, 120), draws, seed=7)
    assert len(set(found)) == draws
    assert all(row % (60 // n) == column % (120 // n) == 0 for row, column in found)
    assert all(0 <= row < 60 and 0 <= column < 120 and (row, column) != (0, 0) for row, column in found)
    assert found == moves((60, 120), draws, seed=7)


def test_displaced_maps_are_the_map_elsewhere() -> None:
    values = random_picture(8, width=12)
    for row, column in moves((8, 12), draws=3, seed=0):
        assert torch.equal(
            moved(values, (row, column)), torch.from_numpy(np.roll(values.numpy(), (row, column), (1, 2)))
        )


def test_p_is_the_rank_among_the_draws() -> None:
    assert p_value([0.1] * 19) == 1 / 20
    assert p_value([0.1, 0.0, -0.2]) == 3 / 4  # as good counts against it
    assert p_value([0.1, 0.2, 0.3]) == 1 / 4


def test_chance_maps_are_called_better_no_more_often_than_promised() -> None:
    """A score for each place, as smooth over the places as a photograph: a map at a random place is called better in
    at most 5 % of cases. An earlier rule, which took three draws from the farthest half, called 14 % better."""
    rng = np.random.default_rng(0)
    called = 0
    for trial in range(400):
        field = gaussian_filter(rng.normal(size=(40, 40)), 6, mode="wrap")  # how much is lost where a blob is centred
        row, column = rng.integers(40, size=2)
        drawn = [field[(row + r) % 40, (column + c) % 40] for r, c in moves((40, 40), draws=24, seed=trial)]
        called += against(field[row, column], drawn, 1, 0.0) == "better"
    assert called / 400 <= 0.05 + 2 * (0.04 * 0.96 / 400) ** 0.5


@pytest.mark.parametrize(
    ("area", "drawn", "expected"),
    [
        (0.2, [0.4] * 19, "better"),
        (0.2, [0.4] * 3, "few draws"),
        (0.2, [0.4], "few draws"),
        (0.2, [0.5] * 30 + [0.1], "unclear"),
        (0.2, [0.5] * 39 + [0.1], "better"),
        (0.2, [0.5, 0.1, 0.9], "unclear"),
        (0.2, [0.21, 0.22], "no better"),
        (0.2, [0.1, 0.15], "no better"),
    ],
)
def test_better_only_with_enough_draws(area: float, drawn: list[float], expected: str) -> None:
    assert against(area, drawn, -1, 0.02) == expected
    assert against(-area, [-other for other in drawn], 1, 0.02) == expected
