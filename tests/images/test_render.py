"""From numbers to colours: zero has its own, the scale is honest, and nothing is ever NaN."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from gradoscope.contract.arrays import encode_map, npy, reduce_channels, statistics, to_half
from gradoscope.images.palettes import diverging, palettes
from gradoscope.images.render import Scale, colourise, draw, scale_of
from PIL import Image

PALETTES = list(palettes())
RAMP = np.linspace(-1, 1, 101).reshape(1, 101)


def neutral(palette: str) -> list[int]:
    """The middle of a diverging palette, the beginning of a sequential one."""
    return palettes()[palette][128 if palette in diverging() else 0].tolist()


def test_palettes() -> None:
    assert {"inferno", "viridis", "gray"} <= set(PALETTES)
    assert len(diverging()) >= 1
    for colours in palettes().values():
        assert colours.shape == (256, 3)
        assert len(np.unique(colours, axis=0)) > 200


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("percentile", [50, 99, 100])
def test_zero_map_is_neutral(palette: str, percentile: float) -> None:
    zeros = np.zeros((5, 7), np.float32)
    assert scale_of(zeros, palette, percentile, signed=False) in (Scale(0, 0), Scale(-0.0, 0.0))
    with np.errstate(all="raise"):
        coloured = colourise(zeros, palette, scale_of(zeros, palette, percentile, signed=False))
    assert np.abs(coloured.astype(int) - neutral(palette)).max() <= 2
    assert len(np.unique(coloured.reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize("palette", sorted(diverging()))
@pytest.mark.parametrize("shift", [0.0, 0.4, -0.7])
def test_zero_is_in_the_middle_of_a_diverging_palette(palette: str, shift: float) -> None:
    """However lopsided the map is."""
    values = RAMP + shift
    scale = scale_of(values, palette, percentile=100, signed=False)
    assert scale.low == -scale.high
    coloured = colourise(np.append(values, 0.0).reshape(1, -1), palette, scale)
    assert np.abs(coloured[0, -1].astype(int) - neutral(palette)).max() <= 2


@pytest.mark.parametrize("palette", PALETTES)
def test_all_negative_map_is_a_map(palette: str) -> None:
    """Other tools clip it at zero and show one colour."""
    values = -np.linspace(0.1, 1, 64).reshape(8, 8)
    coloured = colourise(values, palette, scale_of(values, palette, signed=True))
    assert len(np.unique(coloured.reshape(-1, 3), axis=0)) > 20


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("factor", [1e-38, 1e-9, 1.0, 1e9, 1e30])
def test_scale_of_the_numbers_does_not_matter(palette: str, factor: float) -> None:
    values = np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32)
    expected = colourise(values, palette, scale_of(values, palette, signed=True))
    scaled = values * np.float32(factor)
    with np.errstate(invalid="raise", divide="raise"):
        actual = colourise(scaled, palette, scale_of(scaled, palette, signed=True))
    assert (np.abs(actual.astype(int) - expected) > 8).mean() < 0.001


def test_percentile_clips() -> None:
    values = np.append(np.ones(99), 1000.0).reshape(10, 10)
    assert scale_of(values, "gray", percentile=98, signed=False).high == 1
    assert scale_of(values, "gray", percentile=100, signed=False).high == 1000
    assert colourise(values, "gray", Scale(0, 1)).min() == 255


def test_lone_spike_is_not_erased() -> None:
    """99 % of such a map are zero, and so is its 99th percentile."""
    values = np.zeros((20, 20))
    values[3, 4] = -2.0
    assert scale_of(values, "blue_orange", signed=True) == Scale(-2, 2)
    assert (
        len(
            np.unique(
                colourise(values, "blue_orange", scale_of(values, "blue_orange", signed=True)).reshape(-1, 3), axis=0
            )
        )
        == 2
    )


def test_constant_map_is_one_colour() -> None:
    for value in (3.0, -3.0):
        values = np.full((4, 4), value)
        for palette in PALETTES:
            assert (
                len(
                    np.unique(colourise(values, palette, scale_of(values, palette, signed=True)).reshape(-1, 3), axis=0)
                )
                == 1
            )


def test_draw_over_the_picture() -> None:
    under = Image.new("RGB", (8, 8), (200, 100, 0))
    values = np.linspace(0, 1, 64).reshape(8, 8)
    assert np.array_equal(
        np.asarray(draw(values, "gray", percentile=99, under=under, overlay=0.0, signed=False)), np.asarray(under)
    )
    alone = np.asarray(draw(values, "gray", percentile=99, under=None, overlay=0.5, signed=False))
    assert np.array_equal(
        np.asarray(draw(values, "gray", percentile=99, under=under, overlay=1.0, signed=False)), alone
    )
    half = np.asarray(draw(values, "gray", percentile=99, under=under, overlay=0.5, signed=False), dtype=int)
    assert np.abs(half - (alone.astype(int) + np.asarray(under)) / 2).max() <= 1


@pytest.mark.parametrize("factor", [1e-45, 1e-30, 1e-9, 1.0, 1e9, 1e30])
def test_half_precision_round_trip(factor: float) -> None:
    """float16 ends at 65504 and at 6e-8: the scale carries the magnitude."""
    values = np.random.default_rng(0).normal(size=(16, 16)) * factor
    half, scale = to_half(values)
    assert half.dtype == np.float16
    assert np.abs(half).max() == 1
    assert np.abs(half.astype(np.float64) * scale - values).max() <= np.abs(values).max() * 5e-4
    sent = encode_map(values)
    decoded = np.frombuffer(base64.b64decode(sent.data), "<f2").astype(float).reshape(sent.shape) * sent.scale
    assert np.allclose(decoded, values, rtol=0, atol=np.abs(values).max() * 5e-4)


def test_half_precision_of_zeros() -> None:
    half, scale = to_half(np.zeros((3, 3), np.float32))
    assert scale == 0
    assert not half.any()


def test_reduce_channels() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4, 5))
    assert np.allclose(reduce_channels(values, "sum"), values[0] + values[1] + values[2])
    assert np.allclose(reduce_channels(values, "abs"), abs(values[0]) + abs(values[1]) + abs(values[2]))
    assert np.allclose(reduce_channels(values, "max"), np.maximum(np.maximum(*abs(values[:2])), abs(values[2])))
    assert reduce_channels(values, "none") is values
    positive, negative = (reduce_channels(values, how) for how in ("positive", "negative"))  # type: ignore[arg-type]
    assert min(positive.min(), negative.min()) == 0
    assert np.allclose(positive - negative, values.sum(0))
    assert np.all((positive == 0) | (negative == 0))


def test_statistics_and_npy() -> None:
    values = np.array([[1.5, -2.0], [0.0, 4.0]], np.float32)
    assert statistics(values).to_dict() == {"min": -2, "max": 4, "sum": 3.5}
    import io

    assert np.array_equal(np.load(io.BytesIO(npy(values.T)), allow_pickle=False), values.T)
