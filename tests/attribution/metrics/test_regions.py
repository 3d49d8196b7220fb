"""Relevance mass and rank: against Quantus, where they can be written down, and what is no region."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.metrics.base import find_metric
from gradoscope.attribution.metrics.regions import RegionParameters, region
from gradoscope.contract.regions import run_lengths
from pydantic import ValidationError
from quantus import RelevanceMassAccuracy, RelevanceRankAccuracy
from torch import Tensor

from tests.support.explained_maps import explained_map, measure
from tests.support.nets import random_picture

BOX = "2,3,9,8"  # of 12 × 12: 7 wide, 5 high
METRICS = ["relevance_mass", "relevance_rank"]
SHARE = {"relevance_mass": "mass", "relevance_rank": "hits"}


def share(metric: str, values: Tensor, **where: str) -> float:
    return measure(metric, explained_map(values=values), **where).figures[SHARE[metric]]  # type: ignore[no-any-return]


def mask_of_box() -> np.ndarray:
    mask = np.zeros((12, 12), dtype=bool)
    mask[3:8, 2:9] = True
    return mask


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["box", "mask"])
def test_against_quantus(seed: int, kind: str) -> None:
    values = random_picture(12, seed=seed) - 0.5
    mask = mask_of_box() if kind == "box" else np.random.default_rng(seed).random((12, 12)) < 0.3
    where = {"box": BOX} if kind == "box" else {"mask": run_lengths(mask)}
    places = values.double().abs().sum(0, keepdim=True).numpy()[None]
    quiet = {"disable_warnings": True, "display_progressbar": False, "normalise": False, "abs": False}
    given = {
        "model": None, "x_batch": np.zeros((1, 1, 12, 12)), "y_batch": np.zeros(1, dtype=int),
        "a_batch": places, "s_batch": mask[None, None],
    }  # fmt: skip
    for metric, quantus in (("relevance_mass", RelevanceMassAccuracy), ("relevance_rank", RelevanceRankAccuracy)):
        (expected,) = quantus(**quiet)(**given)
        assert share(metric, values, **where) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_closed_forms(metric: str) -> None:
    inside = torch.from_numpy(mask_of_box()).double()[None]
    assert share(metric, inside, box=BOX) == 1
    assert share(metric, 1 - inside, box=BOX) == 0
    assert share(metric, -inside, box=BOX) == 1  # signs do not matter
    found = measure(metric, explained_map(values=torch.ones(1, 12, 12)), box=BOX).figures
    assert found["area"] == pytest.approx(35 / 144)
    if metric == "relevance_mass":
        assert found["mass"] == pytest.approx(35 / 144)
        assert share(metric, inside + 1, box=BOX) == pytest.approx(70 / (144 + 35))


def test_one_very_strong_place_counts_in_the_mass_only() -> None:
    values = torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(0)) + 1
    values[0, 0, 0] = 1e6
    assert share("relevance_mass", values, box=BOX) < 1e-3
    assert share("relevance_rank", values, box=BOX) > 0.1


@pytest.mark.parametrize("metric", METRICS)
def test_box_and_mask_are_the_same_region(metric: str) -> None:
    values = explained_map().values
    assert share(metric, values, box=BOX) == share(metric, values, mask=run_lengths(mask_of_box()))
    assert share(metric, values, box="1.6 2.6 8.6 7.6") == share(metric, values, box=BOX)  # the pixels' centres decide


@pytest.mark.parametrize("metric", METRICS)
def test_without_a_region_or_a_magnitude_there_is_no_number(metric: str) -> None:
    found = find_metric(metric)
    for values, where, code in ((None, {}, "no_region"), (torch.zeros(3, 12, 12), {"box": BOX}, "none")):
        subject = explained_map() if values is None else explained_map(values=values)
        figures = dict(measure(metric, subject, **where).figures)
        assert figures[SHARE[metric]] is None
        assert figures["reason"]
        assert [said for said, _, _ in found.findings(figures, subject.method)] == [code]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"box": "20,20,30,30"}, "holds none of the 12 × 12 pixels"),
        ({"box": "-5,-5,50,50"}, "holds all of the 12 × 12"),
        ({"box": BOX, "mask": "3 141"}, "A box and a mask are named"),
        ({"mask": "3 4 5"}, "sum to 12 places, and the model's input has 12 × 12"),
        ({"mask": "144"}, "holds none"),
    ],
)
def test_what_is_no_region_of_the_picture_is_refused(where: dict[str, str], words: str) -> None:
    for metric in METRICS:
        with pytest.raises(Refused, match=words):
            measure(metric, explained_map(), **where)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"box": "1,2,3"}, "four numbers"),
        ({"box": "a,b,c,d"}, "four numbers"),
        ({"box": "1,2,nan,4"}, "four numbers"),
        ({"box": "5,2,5,4"}, "right is more than left"),
        ({"mask": "3 -4"}, "run lengths"),
        ({"mask": "9" * 100_001}, "at most 100000 characters"),
    ],
)
def test_what_is_no_box_or_mask_at_all_is_said_of_the_field(where: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RegionParameters(**where)


@pytest.mark.parametrize("shape", [(5, 7), (1, 4), (3, 1)])
@pytest.mark.parametrize("first", [0, 1])
def test_run_lengths_come_back(shape: tuple[int, int], first: int) -> None:
    mask = np.random.default_rng(1).random(shape) < 0.5
    mask[0, 0], mask[-1, -1] = first, not first
    inside = region(RegionParameters(mask=run_lengths(mask)), shape)
    assert inside is not None
    assert np.array_equal(inside.numpy(), mask)


def test_run_lengths_are_those_of_coco() -> None:
    """Column by column, outside first: the example of a 3 × 3 mask."""
    assert run_lengths(np.array([[0, 1, 0], [0, 1, 1], [1, 0, 1]])) == "2 3 2 2"
    assert run_lengths(np.array([[1, 0]])) == "0 1 1"
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        run_lengths(np.zeros((1, 2, 3)))
