"""The pointing game with boxes: against a plain loop, on maps whose answer is known, and what is refused."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.metrics.boxes import Box, Boxes
from gradoscope.evaluation.box_pointing import BOX_POINTING, BoxParameters

from tests.support.explained_maps import explained_map
from tests.support.nets import Tiny, finish, random_picture, wrap

SIDE = 20
PICTURE = (SIDE, SIDE)
CROP = (0.0, 0.0, float(SIDE), float(SIDE))


@pytest.fixture(scope="module")
def subject():
    model = wrap(Tiny())
    return explained_map("vanilla_gradient", model, random_picture(side=SIDE), torch.zeros(3, SIDE, SIDE))


def figures(subject, values, *boxes, tolerance=0.0, picture=PICTURE, crop=CROP):
    given = dataclasses.replace(subject, values=values, boxes=Boxes(boxes, picture, crop))
    parameters = BoxParameters(tolerance=tolerance)
    BOX_POINTING.check(given, parameters)
    return finish(BOX_POINTING.measure(given, parameters))[1].figures


def point(row, column, value=1.0):
    values = torch.zeros(3, SIDE, SIDE)
    values[:, row, column] = value
    return values


def torchray_hit(mask: torch.Tensor, row: int, column: int, tolerance: float) -> bool:
    """As TorchRay 1.0.0.2 has it in `PointingGame.evaluate`: the mask meets the disc around the maximum."""
    v, u = torch.meshgrid(torch.arange(SIDE) - row, torch.arange(SIDE) - column, indexing="ij")
    return bool((mask & (v**2 + u**2 < tolerance**2)).any())


def test_hits_are_those_of_a_disc_around_the_maximum(subject):
    """TorchRay takes whole pixels whose centres are nearer than the tolerance, we the edge of the box, which is half a
    pixel nearer to the outside."""
    box = Box(6, 4, 5, 7)
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[4:11, 6:11] = True
    for row in range(SIDE):
        for column in range(SIDE):
            for tolerance in (0.0, 2.75, 4.75):
                hit = figures(subject, point(row, column), box, tolerance=tolerance)["hit"]
                nearer = torchray_hit(mask, row, column, tolerance + 0.4)
                farther = torchray_hit(mask, row, column, tolerance + 0.8)
                assert nearer <= hit <= farther, (row, column, tolerance)


def test_share_of_the_positive_attribution(subject):
    values = point(5, 5) + point(15, 15, 3.0) + point(0, 0, -7.0)
    found = figures(subject, values, Box(0, 0, 10, 10))
    assert found["share"] == pytest.approx(1 / 4)
    assert found["area"] == pytest.approx(1 / 4)
    assert (found["hit"], found["positive"], found["centre"]) == (False, True, True)
    both = figures(subject, values, Box(0, 0, 10, 10), Box(15, 15, 1, 1))
    assert (both["hit"], both["share"]) == (True, pytest.approx(1))


def test_the_channels_are_summed(subject):
    values = torch.zeros(3, SIDE, SIDE)
    values[0, 5, 5], values[1, 5, 5], values[0, 15, 15] = 5.0, -4.5, 1.0
    assert figures(subject, values, Box(0, 0, 10, 10))["hit"] is False


def test_the_same_everywhere_has_the_share_of_the_area_and_misses(subject):
    found = figures(subject, torch.ones(3, SIDE, SIDE), Box(1.5, 2.5, 7.3, 9.1))
    assert found["share"] == pytest.approx(found["area"]) == pytest.approx(7.3 * 9.1 / SIDE**2)
    assert found["hit"] is False


def test_a_map_without_a_positive_value_misses(subject):
    for values in (torch.zeros(3, SIDE, SIDE), -torch.ones(3, SIDE, SIDE)):
        found = figures(subject, values, Box(0, 0, SIDE, SIDE))
        assert (found["hit"], found["share"], found["positive"]) == (False, 0.0, False)


def test_the_box_is_where_the_model_sees_it(subject):
    """The map is of the middle of a picture of 80 × 40, at half its size."""
    crop = (20.0, 0.0, 60.0, 40.0)
    values = point(10, 5)  # at (31, 21) in the picture
    assert figures(subject, values, Box(30, 20, 2, 2), picture=(80, 40), crop=crop)["hit"]
    assert not figures(subject, values, Box(10, 20, 2, 2), Box(22, 2, 2, 2), picture=(80, 40), crop=crop)["hit"]
    assert figures(subject, values, Box(0, 0, 80, 40), picture=(80, 40), crop=crop)["area"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("box", "says"),
    [
        (Box(70, 0, 11.5, 5), "reaches beyond its picture of 80×40 pixels"),
        (Box(0, 30, 5, 12), "reaches beyond its picture"),
        (Box(2, 2, 5, 5), "sees none of the boxes"),
    ],
)
def test_what_cannot_be_measured_is_refused(subject, box, says):
    with pytest.raises(Refused, match=says):
        figures(subject, point(1, 1), box, picture=(80, 40), crop=(20.0, 0.0, 60.0, 40.0))
    with pytest.raises(Refused, match="--boxes"):
        BOX_POINTING.check(subject, BoxParameters())
