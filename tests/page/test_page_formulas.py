"""The page's formulas, against numpy, scipy and the server: ranks, overlap, shares, histogram, reductions, zoom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from gradoscope.contract.arrays import reduce_channels
from gradoscope.contract.regions import run_lengths
from playwright.sync_api import Browser, expect
from scipy import stats

from tests.support.box_shares import shares
from tests.support.browser import LONG, Visit, visiting

expect.set_options(timeout=LONG)


@pytest.fixture(scope="module")
def opened(browser: Browser, server_url: str) -> Iterator[Visit]:
    with visiting(browser, server_url) as visit:
        visit.open()
        yield visit


def call(visit: Visit, module: str, name: str, *arguments: Any) -> Any:
    """What a pure function of the page returns; typed arrays come back as lists."""
    return visit.page.evaluate(
        """async ([module, name, values]) => {
          const plain = value => ArrayBuffer.isView(value) ? [...value] : value;
          const typed = value => value?.float ? Float32Array.from(value.float) : value && typeof value === 'object' &&
            !Array.isArray(value) ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, typed(v)])) : value;
          const result = (await import(`/static/js/${module}.js`))[name](...values.map(typed));
          return result && typeof result === 'object' && !Array.isArray(result) && !ArrayBuffer.isView(result)
            ? Object.fromEntries(Object.entries(result).map(([k, v]) => [k, plain(v)])) : plain(result);
        }""",
        [module, name, list(arguments)],
    )


def floats(values: np.ndarray) -> dict[str, Any]:
    return {"float": np.asarray(values, np.float32).ravel().tolist()}


def grid(values: np.ndarray, crop: list[float], **more: Any) -> dict[str, Any]:
    return {"values": floats(values), "height": values.shape[0], "width": values.shape[1], "crop": crop, **more}


@pytest.mark.parametrize("levels", [7, 10**6])
def test_rank_correlation_is_scipys(opened: Visit, levels: int) -> None:
    """With ties and without."""
    rng = np.random.default_rng(1)
    a = rng.integers(-levels, levels, 500)
    b = a + rng.integers(-levels, levels, 500)
    assert call(opened, "arrays/comparison", "ranksOf", floats(a)) == stats.rankdata(a).tolist()
    assert call(opened, "arrays/comparison", "spearman", floats(a), floats(b)) == pytest.approx(
        stats.spearmanr(a, b)[0]
    )
    assert call(opened, "arrays/comparison", "spearman", floats(a), floats(np.ones(500))) is None


def test_overlap_of_the_strongest_tenths(opened: Visit) -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=1000).astype(np.float32)
    b = (a + rng.normal(size=1000)).astype(np.float32)
    top_a, top_b = (set(np.argsort(-np.abs(v))[:100].tolist()) for v in (a, b))
    found = call(opened, "arrays/comparison", "overlapOf", floats(a), floats(b))
    assert found["union"] == pytest.approx(len(top_a & top_b) / len(top_a | top_b))
    assert found["share"] == pytest.approx(len(top_a & top_b) / 100)
    assert call(opened, "arrays/comparison", "overlapOf", floats(a), floats(a)) == {"union": 1, "share": 1}
    assert call(opened, "arrays/comparison", "overlapOf", floats(a), floats(0 * a)) == {"union": None, "share": None}


def test_maps_of_two_inputs_meet_in_the_original(opened: Visit) -> None:
    """A plane over the picture is the same plane through whichever input it is seen."""

    def plane(size: tuple[int, int], crop: list[float]) -> np.ndarray:
        x = crop[0] + (np.arange(size[1]) + 0.5) / size[1] * (crop[2] - crop[0])
        y = crop[1] + (np.arange(size[0]) + 0.5) / size[0] * (crop[3] - crop[1])
        return 2 * x[None, :] - y[:, None] + 5

    whole, cut = [0.0, -60.0, 300.0, 240.0], [60.0, 0.0, 240.0, 180.0]
    fine, coarse = plane((120, 120), whole), plane((18, 18), cut)
    seen = call(opened, "arrays/comparison", "resample", grid(fine, whole), grid(coarse, cut))
    assert np.allclose(np.array(seen), coarse.ravel(), atol=1e-3), "a mean of a plane is its value in the middle"
    blocks = np.arange(36.0).reshape(6, 6)
    seen = call(opened, "arrays/comparison", "resample", grid(blocks, whole), grid(np.zeros((3, 3)), whole))
    assert np.allclose(seen, blocks.reshape(3, 2, 3, 2).mean((1, 3)).ravel())
    outside = call(opened, "arrays/comparison", "resample", grid(coarse, cut), grid(fine, whole))
    beyond = np.array(outside, dtype=float).reshape(120, 120)
    assert np.isnan(beyond[:24]).all()
    assert np.isfinite(beyond[24:96, 24:96]).all()
    result = call(opened, "arrays/comparison", "compare", grid(fine, whole, clip=1000), grid(coarse, cut, clip=1000))
    assert (result["shape"], result["first"], result["pixels"]) == ([1, 18, 18], False, 18 * 18)
    assert result["signed"] == pytest.approx(1, abs=1e-6)
    assert np.abs(result["values"]).max() < 1e-5


def test_rank_is_scipys_weak_percentile(opened: Visit) -> None:
    values = np.round(np.random.default_rng(3).normal(size=400), 1).astype(np.float32)
    magnitudes = np.sort(np.abs(values))
    for value in [*values[:20].tolist(), 0.0]:
        rank = call(opened, "arrays/statistics", "rankOf", {"magnitudes": floats(magnitudes)}, value)
        expected = stats.percentileofscore(magnitudes, np.abs(np.float32(value)), kind="weak")
        assert 100 * rank == pytest.approx(expected)


def test_histogram_counts_every_pixel_once(opened: Visit) -> None:
    magnitudes = np.sort(np.random.default_rng(4).exponential(size=5000)).astype(np.float32)
    counts = call(opened, "arrays/statistics", "histogramOf", {"magnitudes": floats(magnitudes)}, 50)
    expected, _ = np.histogram(magnitudes, 50, (0, magnitudes[-1]))
    assert sum(counts) == 5000
    assert np.abs(np.array(counts) - expected).max() <= 1


@pytest.mark.parametrize("box", [[0, 0, 1, 1], [0.25, 0.125, 0.5, 1], [-0.5, 0.1875, 0.40625, 0.3125], [2, 2, 3, 3]])
def test_shares_of_a_box(opened: Visit, box: list[float]) -> None:
    values = np.random.default_rng(5).normal(size=(4, 8))
    map = {"values": floats(values), "width": 8, "height": 4}
    found = call(opened, "arrays/statistics", "sharesOf", map, map, box)
    assert found == pytest.approx(shares(values, values, box), abs=1e-6)
    nothing = {"values": floats(-np.ones(32)), "width": 8, "height": 4}
    assert call(opened, "arrays/statistics", "sharesOf", nothing, nothing, box)["positive"] is None


def test_reductions_are_the_servers(opened: Visit) -> None:
    raw = np.random.default_rng(6).normal(size=(3, 5, 4)).astype(np.float32)
    for reduction in ("sum", "abs", "max", "positive", "negative"):
        array = {"shape": [3, 5, 4], "values": floats(raw)}
        reduced = call(opened, "rendering/reduction", "reduce", array, reduction)
        assert np.allclose(reduced["values"], reduce_channels(raw, reduction).ravel(), atol=1e-6)
        assert reduced["signed"] is (reduction == "sum")


def test_the_top_is_as_large_as_asked_and_never_zero(opened: Visit) -> None:
    values = np.random.default_rng(7).normal(size=900)
    magnitudes = np.sort(np.abs(values.astype(np.float32)))
    for percent in (1, 10, 50, 100):
        least = call(opened, "rendering/top-percent", "thresholdOf", {"magnitudes": floats(magnitudes)}, percent)
        assert (magnitudes >= least).sum() == 9 * percent
    assert call(opened, "rendering/top-percent", "thresholdOf", {"magnitudes": floats(np.zeros(9))}, 50) > 0


CROP, PADDED, SQUASHED = [75.5, 0.0, 375.5, 300.0], [0.0, -75.5, 451.0, 375.5], [0.0, 0.0, 451.0, 300.0]


def test_the_zoom_is_one_place_of_the_picture_for_every_input(opened: Visit) -> None:
    place = [210.0, 140.0]
    looking = {"zoom": 4, "centre": place}
    for crop in (CROP, PADDED, SQUASHED):
        frame = call(opened, "viewport/geometry", "frameOf", looking, crop)
        middle = call(opened, "viewport/geometry", "fromWindow", [0.5, 0.5], frame)
        assert call(opened, "viewport/geometry", "toPicture", middle, crop) == pytest.approx(place)
        for factor in (0.5, 1.5, 100):
            at = [0.3, 0.6]
            before = call(opened, "viewport/geometry", "fromWindow", at, frame)
            zoomed = call(opened, "viewport/geometry", "zoomedAt", looking, crop, at, factor)
            assert zoomed["zoom"] == min(4 * factor, 16)
            after = call(
                opened,
                "viewport/geometry",
                "fromWindow",
                at,
                call(opened, "viewport/geometry", "frameOf", zoomed, crop),
            )
            assert after == pytest.approx(before), "what lies under the pointer stays there"
    assert call(opened, "viewport/geometry", "zoomedAt", looking, CROP, [0.1, 0.1], 0.01) == {"zoom": 1, "centre": None}
    edge = call(opened, "viewport/geometry", "frameOf", {"zoom": 2, "centre": [-500, 9000]}, CROP)
    assert edge == {"zoom": 2, "left": 0, "top": -1}, "no void comes in at the edge"


def as_mask(cells: np.ndarray, place: list[float]) -> dict[str, Any]:
    flat = cells.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return {"width": cells.shape[1], "height": cells.shape[0], "place": place, "runs": [0, *runs] if flat[0] else runs}


@pytest.mark.parametrize("seed", range(3))
def test_a_mask_is_read_at_the_middles_of_the_inputs_pixels(opened: Visit, seed: int) -> None:
    """With a crop inside the mask's place, and one that reaches beyond it."""
    cells = np.random.default_rng(seed).random((30, 45)) < 0.4
    cells[0, 0] = seed == 1
    mask = as_mask(cells, [0, 0, 90, 60])
    crop = [[15, 0, 75, 60], [0, -15, 90, 75], [10.5, 3.25, 70.5, 51.25]][seed]
    seen = call(opened, "arrays/mask", "maskOfInput", mask, crop, {"width": 14, "height": 12})
    x = crop[0] + (np.arange(14) + 0.5) / 14 * (crop[2] - crop[0])
    y = crop[1] + (np.arange(12) + 0.5) / 12 * (crop[3] - crop[1])
    outside = np.pad(cells, 20)  # cells beside the mask's place
    expected = outside[np.ix_(np.floor(y / 2).astype(int) + 20, np.floor(x / 2).astype(int) + 20)]
    assert np.array_equal(np.array(seen).reshape(12, 14), expected)
    text = call(opened, "arrays/mask", "runLengths", seen, {"width": 14, "height": 12})
    assert text == run_lengths(expected)


def test_shares_of_a_mask(opened: Visit) -> None:
    rng = np.random.default_rng(8)
    values, inside = rng.normal(size=(4, 8)).astype(np.float32), rng.random((4, 8)) < 0.4
    map = {"values": floats(values), "width": 8, "height": 4}
    found = call(opened, "arrays/mask", "sharesOfMask", map, map, inside.ravel().astype(int).tolist())
    positive = np.maximum(values, 0)
    assert found["area"] == pytest.approx(inside.mean())
    assert found["map"] == pytest.approx(np.abs(values)[inside].sum() / np.abs(values).sum(), abs=1e-6)
    assert found["positive"] == pytest.approx(positive[inside].sum() / positive.sum(), abs=1e-6)


def test_the_lines_of_a_mask_are_where_inside_and_outside_meet(opened: Visit) -> None:
    cells = np.zeros((4, 5), bool)
    cells[1:3, 2:5] = True
    mask = as_mask(cells, [0, 0, 5, 4])
    assert call(opened, "arrays/mask", "outlineOf", mask) == "M2 1H5M2 3H5M2 1V3M5 1V3"
    assert call(opened, "arrays/mask", "areaOf", mask) == "M2 1h3v1h-3zM2 2h3v1h-3z"


def test_a_mask_comes_out_of_an_address_as_it_went_in(opened: Visit) -> None:
    cells = np.random.default_rng(9).random((60, 70)) < 0.3
    mask = as_mask(cells, [-10.5, 0, 200.25, 180])
    ways = """async mask => {
      const { mask: codec } = await import('/static/js/url-state/codecs.js');
      return codec.parse(codec.format(mask));
    }"""
    assert opened.page.evaluate(ways, mask) == mask
    scattered = as_mask(np.random.default_rng(9).random((200, 200)) < 0.5, [0, 0, 1, 1])
    ways = "async mask => (await import('/static/js/url-state/codecs.js')).mask.format(mask)"
    assert opened.page.evaluate(ways, scattered) is None, "it would make an address of many thousand characters"
