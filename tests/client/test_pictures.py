"""Pillow objects and arrays go the same way as files with the same pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from gradoscope.client.pictures import read_bytes
from gradoscope.contract.problems import Unprocessable
from gradoscope.images.decode import decode
from PIL import Image, ImageOps

LIMIT = 10**6
RNG = np.random.default_rng(0)
RGB = Image.fromarray(RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8))
RGBA = Image.fromarray(RNG.integers(0, 256, (12, 16, 4), dtype=np.uint8))
GREY_16_BITS = Image.fromarray((np.arange(12 * 16).reshape(12, 16) * 340).astype(np.uint16))


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def seen(picture: object) -> np.ndarray:
    """What a model's preprocessing gets of a picture."""
    return np.asarray(decode(read_bytes(picture), LIMIT))


def paletted() -> Image.Image:
    image = RGB.quantize(16)
    image.info["transparency"] = image.getpixel((0, 0))
    return image


AS_PNG = {
    "16-bit grey": GREY_16_BITS,
    "grey": RGB.convert("L"),
    "grey with alpha": RGBA.convert("LA"),
    "alpha": RGBA,
    "palette": RGB.quantize(16),
    "palette with a transparent entry": paletted(),
    "one bit": RGB.convert("1"),
}


@pytest.mark.parametrize("name", AS_PNG)
def test_an_object_is_what_its_png_is(name: str) -> None:
    image = AS_PNG[name]
    data = saved(image)
    np.testing.assert_array_equal(seen(image), seen(data))
    np.testing.assert_array_equal(seen(Image.open(io.BytesIO(data))), seen(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_opened_file_is_turned_by_its_exif(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(RGB, kind, exif=exif)
    opened = Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(seen(opened), seen(data))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(seen(upright), seen(data))  # one that is upright already stays as it is


def test_other_modes_mean_the_same() -> None:
    wide = Image.fromarray(np.asarray(GREY_16_BITS).astype(np.int32))
    assert wide.mode == "I"
    np.testing.assert_array_equal(seen(wide), seen(saved(GREY_16_BITS)))
    big_endian = Image.frombytes("I;16B", GREY_16_BITS.size, np.asarray(GREY_16_BITS).astype(">u2").tobytes())
    np.testing.assert_array_equal(seen(big_endian), seen(saved(GREY_16_BITS)))
    premultiplied = RGBA.convert("LA").convert("La")
    np.testing.assert_array_equal(seen(premultiplied), seen(premultiplied.convert("LA")))
    over_white = Image.alpha_composite(Image.new("RGBA", RGBA.size, "white"), RGBA).convert("RGB")
    assert np.abs(seen(RGBA.convert("RGBa")).astype(int) - np.asarray(over_white)).max() <= 2  # of premultiplying
    cmyk = RGB.convert("CMYK")
    np.testing.assert_array_equal(seen(cmyk), np.asarray(cmyk.convert("RGB")))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_arrays(dtype: type) -> None:
    def given(image: Image.Image) -> np.ndarray:
        values = np.asarray(image)
        return values if dtype is np.uint8 else values.astype(dtype) / 255

    grey = RGB.convert("L")
    np.testing.assert_array_equal(seen(given(RGB)), np.asarray(RGB))
    np.testing.assert_array_equal(seen(given(RGBA)), seen(saved(RGBA)))
    np.testing.assert_array_equal(seen(given(grey)), seen(saved(grey)))
    np.testing.assert_array_equal(seen(given(grey)[:, :, None]), seen(saved(grey)))
    np.testing.assert_array_equal(seen(given(RGB)[:, ::-1]), np.asarray(RGB)[:, ::-1])
    if dtype is not np.uint8:  # rounding beyond 0 and 1 is no other picture
        np.testing.assert_array_equal(seen(given(RGB) * (1 + 1e-7) - 1e-8), np.asarray(RGB))


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((3, 8, 8), np.uint8), r"shape \(3, 8, 8\) is no picture"),
        (np.zeros((8, 8, 2), np.uint8), "is no picture"),
        (np.zeros((0, 8), np.uint8), "is no picture"),
        (np.full((8, 8), 200, np.int32), "must be uint8, or floats"),
        (np.full((8, 8, 4), 1.5), "must be uint8, or floats"),
        (Image.new("F", (8, 8), 0.5), "mode F with values of 0.5 … 0.5.*black and white are known"),
        (Image.new("I", (8, 8), 70000), "mode I with values of"),
        (Image.new("I", (8, 8), -1), "mode I"),
        (Image.open(io.BytesIO(saved(RGB)[:-60])), "it cannot be decoded"),
        (np.full((8, 8, 3), np.nan), "values of nan … nan is no picture"),
        (np.full((8, 8, 3), 1.001), "must be uint8, or floats"),
        (np.full((8, 8), "a"), "an array of <U1 is no picture"),
        (np.zeros((8, 8), bool), "an array of bool is no picture"),
        (np.zeros((8, 8), "M8[s]"), r"an array of datetime64\[s\] is no picture"),
        (np.zeros((8, 8), complex), "an array of complex128 with values"),
        (Image.new("RGB", (0, 5)), "0×5 pixels"),
        (17, "int is no picture"),
        ("nowhere.png", "nowhere.png' cannot be read: No such file"),
        ("a\0b.png", "cannot be read: embedded null byte"),
    ],
)
def test_what_is_no_picture_is_told(picture: object, words: str) -> None:
    with pytest.raises(Unprocessable, match=words) as refused:
        read_bytes(picture)  # type: ignore[arg-type]
    assert refused.value.errors[0]["field"] == "image"
