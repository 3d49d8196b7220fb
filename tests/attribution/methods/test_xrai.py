"""XRAI against PAIR saliency, with the same attributions and segments, and regions that can be seen at a glance."""

from __future__ import annotations

import numpy as np
import pytest
import saliency.core as pair
import torch
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.xrai.regions import FEWEST, rank_regions
from gradoscope.attribution.methods.xrai.segments import segments_of, stretched, widened
from gradoscope.attribution.score import Score
from saliency.core.xrai import _get_segments_felzenszwalb
from skimage.morphology import dilation as dilated
from skimage.morphology import disk
from torch import Tensor

from tests.support.nets import (
    Linear,
    Tiny,
    classifier,
    explain,
    finish,
    lite0,
    random_picture,
    relative,
    sample_pixels,
    seeded,
    steps_of,
    wrap,
)

CAT = 282


def array(x: Tensor) -> np.ndarray:
    return x.double().permute(1, 2, 0).numpy()


def theirs(x: Tensor, attribution: np.ndarray, segments: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """PAIR's map and regions. It takes the largest of the channels, which are the same here."""
    channels = np.repeat(attribution[..., None], 3, -1)
    options = pair.XRAIParameters(return_xrai_segments=True, flatten_xrai_segments=False)
    found = pair.XRAI().GetMaskWithDetails(
        array(x), None, segments=list(segments), base_attribution=channels, extra_parameters=options
    )
    return found.attribution_mask, found.segments


def of_both_baselines(network: torch.nn.Module, x: Tensor, target: int, steps: int) -> Tensor:
    maps = (
        explain("integrated_gradients", network, x, score=Score(target), steps=steps, baseline=baseline).values
        for baseline in ("black", "white")
    )
    return sum(maps).double().sum(0) / 2


@pytest.mark.parametrize("name", ["lite0", "resnet18", "vit_64"])
def test_against_pair_saliency(name: str) -> None:
    side = 96 if name == "lite0" else 64
    network = lite0().at((side, side)) if name == "lite0" else classifier(name, side)
    x = sample_pixels("cat", side)
    actual = explain("xrai", network, x, score=Score(CAT), steps=3)
    attribution = of_both_baselines(network, x, CAT, steps=3).numpy()
    expected, regions = theirs(x, attribution, segments_of(array(x), 5))
    assert relative(actual.values[0], torch.from_numpy(expected)) < 1e-6
    assert actual.diagnostics["region_count"] == len(regions)
    for said, region in zip(actual.diagnostics["regions"], regions, strict=False):
        assert said["area"] == pytest.approx(float(region.mean()))
        assert said["density"] == pytest.approx(float(attribution[region].mean()), rel=1e-4)
        assert said["part"] == pytest.approx(float(attribution[region].sum()), rel=1e-4)


@pytest.mark.parametrize(("size", "radius"), [((144, 144), 0), ((96, 150), 0), ((64, 64), 0), ((64, 64), 5)])
def test_segments_are_those_of_pair_saliency(size: tuple[int, int], radius: int) -> None:
    """Not widened at each size: the next test does that, of masks of any kind."""
    x = torch.nn.functional.interpolate(sample_pixels("cat")[None].double(), size, mode="bilinear")[0]
    expected = np.array(_get_segments_felzenszwalb(array(x), dilation_rad=radius))
    assert np.array_equal(segments_of(array(x), radius), expected)


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 11, 32])
def test_widened_as_by_scikit_image(radius: int) -> None:
    """The largest is higher than the picture."""
    masks = (seeded((20, 30, 41)) > 2.9).numpy()
    assert not widened(masks, radius).all()
    expected = np.array([dilated(mask, footprint=disk(radius)) for mask in masks])
    assert np.array_equal(widened(masks, radius), expected)


@pytest.mark.parametrize("seed", range(4))
def test_ranking_as_by_pair_saliency(seed: int) -> None:
    """Random rectangles that overlap, and some of the same area twice."""
    draws = np.random.default_rng(seed)
    masks = np.zeros((40, 48, 56), dtype=bool)
    for mask in masks:
        (top, bottom), (left, right) = (np.sort(draws.integers(0, side, 2)) for side in mask.shape)
        mask[top : bottom + 4, left : right + 4] = True
    masks[7] = masks[3]
    attribution = draws.normal(size=(48, 56))
    regions, values = rank_regions(attribution, masks)
    expected, their_regions = theirs(random_picture(48, width=56), attribution, masks)
    assert np.allclose(values, expected, rtol=1e-12)
    assert len(regions) == len(their_regions)
    assert all(np.array_equal(one, other) for one, other in zip(regions, their_regions, strict=True))


def test_the_densest_comes_first() -> None:
    attribution = np.zeros((20, 20))
    attribution[:10, :10], attribution[10:, :10], attribution[:10, 10:] = 3, -1, 1
    left, top = np.zeros((2, 20, 20), dtype=bool)
    left[:, :10], top[:10] = True, True
    few = np.zeros((20, 20), dtype=bool)
    few[:7, :7] = True  # the densest, and smaller than what counts
    assert few.sum() == FEWEST - 1
    regions, values = rank_regions(attribution, np.array([left, top, few]))
    assert [int(region.sum()) for region in regions] == [200, 100, 100]
    assert np.array_equal(regions[0], top)
    assert np.array_equal(regions[1], left & ~top)
    assert (values[0, 0], values[0, 19], values[19, 0], values[19, 19]) == (2, 2, -1, 0)


def test_regions_cover_the_picture_once_and_hold_its_sum() -> None:
    x = sample_pixels("cat", 64)
    attribution = seeded((64, 64)).double().numpy()
    regions, values = rank_regions(attribution, segments_of(array(x), 5))
    assert np.array_equal(np.sum(regions, 0), np.ones((64, 64)))
    assert values.sum() == pytest.approx(attribution.sum())
    densities = [attribution[region].mean() for region in regions[:-1]]
    assert densities == sorted(densities, reverse=True)


def test_complete_for_a_linear_score() -> None:
    """W·x − (W·0 + W·1) / 2."""
    network, x = Linear(), random_picture(seed=4)
    record = explain("xrai", wrap(network), x, steps=2).diagnostics["completeness"]
    weight = network.weight[0].detach()
    expected = float((weight * x).sum() - weight.sum() / 2)
    assert record["expected"] == pytest.approx(expected, rel=1e-4)
    assert record["attributed"] == pytest.approx(expected, rel=1e-4)
    assert abs(record["relative_error"]) < 1e-4


def test_partial_maps_and_cost() -> None:
    yielded, actual = finish(steps_of("xrai", classifier("resnet18", 64), sample_pixels("cat", 64), steps=5))
    assert [step.done for step in yielded] == [4, 5, 9, 10]
    assert {step.total for step in yielded} == {10}
    assert {tuple(step.estimate.shape) for step in yielded} == {(1, 64, 64)}
    assert actual.values.shape == (1, 64, 64)
    declared = find_method("xrai")
    assert declared.cost(declared.Parameters(steps=5), (64, 64)) == 10
    # all pixels of a region are the same
    assert len(actual.values.unique()) <= actual.diagnostics["region_count"]


def test_boxes_hold_their_regions() -> None:
    x = sample_pixels("cat", 64)
    found = explain("xrai", classifier("resnet18", 64), x, steps=2)
    for region in found.diagnostics["regions"][:3]:
        left, top, right, bottom = region["box"]
        mask = (found.values[0] - region["density"]).abs() < 1e-6 * abs(region["density"])
        assert float(mask.double().mean()) == pytest.approx(region["area"])
        assert int(mask[top:bottom, left:right].sum()) == int(mask.sum())
        assert mask[top].any()
        assert mask[:, right - 1].any()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_picture_of_one_colour(value: float) -> None:
    x = torch.full((3, 32, 32), value)
    assert not stretched(array(x)).any()
    found = explain("xrai", wrap(Tiny(), 32), x, steps=2)
    assert bool(found.values.isfinite().all())
    assert found.diagnostics["region_count"] == 1


def test_grey_pictures() -> None:
    network = wrap(Tiny(channels=1), 32, mean=(0.4,), std=(0.3,))
    assert explain("xrai", network, random_picture(32)[:1], steps=2).values.shape == (1, 32, 32)


def test_wider_segments_are_fewer_regions() -> None:
    network, x = classifier("resnet18", 64), sample_pixels("cat", 64)
    counts = [explain("xrai", network, x, steps=2, dilation=d).diagnostics["region_count"] for d in (0, 16)]
    assert counts[0] > counts[1]
