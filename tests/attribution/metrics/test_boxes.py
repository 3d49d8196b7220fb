"""Boxes as places of a map: coverage and distance, against drawings that are much finer."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.metrics.boxes import Box, Boxes

CROP = (10.0, -5.0, 70.0, 35.0)  # 60 × 40 pixels, of which five rows are above the picture
SIZE = (8, 12)  # a place is 5 × 5 pixels


def drawn(boxes: Boxes, fine: int = 40) -> torch.Tensor:
    """The coverage from `fine` × `fine` points in each place."""
    rows, columns = (side * fine for side in SIZE)
    inside = (boxes.distance((rows, columns)) == 0).double()
    return inside.reshape(SIZE[0], fine, SIZE[1], fine).mean((1, 3))


@pytest.mark.parametrize(
    "boxes",
    [
        [Box(10, -5, 60, 40)],
        [Box(15, 0, 5, 5)],
        [Box(21.3, 3.7, 0.6, 0.4)],
        [Box(12, 1, 20, 10), Box(20, 5, 30, 20), Box(20, 5, 30, 20)],
        [Box(0, 0, 200, 3), Box(60, 0, 2, 90)],
        [Box(80, 0, 5, 5)],
    ],
)
def test_coverage_is_the_share_of_each_place_in_a_box(boxes):
    given = Boxes(tuple(boxes), (90, 35), CROP)
    assert torch.allclose(given.coverage(SIZE), drawn(given), atol=0.03)
    assert given.coverage(SIZE).max() <= 1 + 1e-12


def test_coverage_adds_up_to_the_area():
    given = Boxes((Box(12.3, 1.9, 20.5, 10.2), Box(25, 5, 30, 20)), (90, 35), CROP)
    common = (12.3 + 20.5 - 25) * (1.9 + 10.2 - 5)
    assert float(given.coverage(SIZE).sum()) * 25 == pytest.approx(20.5 * 10.2 + 600 - common)


def test_distance_is_measured_in_pixels_of_the_picture():
    given = Boxes((Box(20, 10, 10, 10),), (90, 35), CROP)
    distance = given.distance(SIZE)
    assert distance.shape == SIZE
    assert distance[3, 2] == 0  # its centre is at (22.5, 12.5)
    assert distance[3, 5] == pytest.approx(37.5 - 30)
    assert distance[1, 5] == pytest.approx(((37.5 - 30) ** 2 + (10 - 2.5) ** 2) ** 0.5)


def test_without_boxes():
    none = Boxes((), (90, 35), CROP)
    assert not none.coverage(SIZE).any()
    assert torch.isinf(none.distance(SIZE)).all()
