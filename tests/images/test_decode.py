"""Bytes from strangers: upright, over white, 8-bit RGB, or a problem that says what is wrong."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from gradoscope.contract.problems import Problem, Unprocessable, UnsupportedPicture
from gradoscope.images.decode import FORMATS, MAX_SCANS, decode
from gradoscope.images.samples import read_sample, samples
from PIL import Image

from tests.support.bad_pictures import many_scans, noise

LIMIT = 10_000_000


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def corners() -> Image.Image:
    """Each corner in a colour of its own, so that every orientation differs."""
    values = np.zeros((24, 40, 3), np.uint8)
    values[:12, :20], values[:12, 20:], values[12:, :20], values[12:, 20:] = (250, 0, 0), (0, 250, 0), (0, 0, 250), 250
    return Image.fromarray(values)


T = Image.Transpose
# how a picture must be turned so that its orientation tag sets it upright again
STORED = {
    1: None,
    2: T.FLIP_LEFT_RIGHT,
    3: T.ROTATE_180,
    4: T.FLIP_TOP_BOTTOM,
    5: T.TRANSPOSE,
    6: T.ROTATE_90,
    7: T.TRANSVERSE,
    8: T.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", STORED)
def test_upright_by_exif(orientation: int, kind: str) -> None:
    upright = corners()
    turn = STORED[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    actual = decode(saved(stored, kind, exif=exif, **options), LIMIT)
    assert actual.size == (40, 24)
    difference = np.abs(np.asarray(actual, dtype=int) - np.asarray(upright, dtype=int))
    assert np.median(difference) <= 3
    assert (difference > 30).mean() < 0.02


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_orientation_that_does_not_exist_is_none(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(np.asarray(decode(saved(corners(), exif=exif), LIMIT)), np.asarray(corners()))


def test_damaged_exif_leaves_the_picture() -> None:
    actual = decode(saved(corners(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\x99" * 40), LIMIT)
    assert actual.size == (40, 24)


def test_16_bits_are_scaled_to_8() -> None:
    """Pillow's own conversion clips everything above 255 to white."""
    values = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    actual = np.asarray(decode(saved(Image.fromarray(values)), LIMIT), dtype=int)
    assert actual.shape == (64, 64, 3)
    assert np.array_equal(actual[..., 0], np.round(values / 257).astype(int))
    assert np.array_equal(actual[..., 0], actual[..., 2])


def rgb16() -> bytes:
    """A PNG of 16 bits a channel, which Pillow reads but does not write: a ramp of reds."""
    values = np.zeros((8, 32, 3), ">u2")
    values[..., 0] = np.linspace(0, 65535, 32)
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 32, 8, 16, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(("limit", "factor"), [(40 * 24, 1), (40 * 24 - 1, 2), (20 * 12, 2), (20 * 12 - 1, 4)])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_with_too_many_pixels_is_decoded_smaller(limit: int, factor: int, progressive: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(corners(), "JPEG", quality=95, subsampling=0, progressive=progressive, exif=exif)
    actual = decode(data, limit)
    assert actual.size == (24 // factor, 40 // factor)
    whole = decode(data, LIMIT)
    expected = np.asarray(whole.reduce(factor), dtype=int)
    # not equal: a JPEG is decoded smaller from its lowest DCT frequencies
    assert np.abs(np.asarray(actual, dtype=int) - expected).mean() < 12


def test_nothing_else_is_decoded_smaller() -> None:
    for data in (saved(corners(), "JPEG"), saved(corners()), saved(corners(), "WEBP")):
        with pytest.raises(Unprocessable, match=r"40×24 = 960 pixels; the limit is 50\."):
            decode(data, max_pixels=50)  # beyond a quarter of its sides, or no JPEG
    with pytest.raises(Unprocessable, match="960 pixels"):
        decode(saved(corners()), max_pixels=959)


HEIC = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + b"\0" * 40


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (HEIC, "This is a HEIC picture"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + b"\0" * 40, "This is a HEIC picture"),
        (b"II*\0" + b"\0" * 40, "a file of TIFF"),
        (b"%PDF-1.7 and so on", "a file of PDF"),
        (b"\n <!DOCTYPE html><html>", "a file of HTML"),
        (b"nothing of the kind", "not a picture of an allowed format"),
    ],
)
def test_what_is_often_sent_by_mistake_is_named(monkeypatch: pytest.MonkeyPatch, data: bytes, said: str) -> None:
    monkeypatch.setattr("gradoscope.images.decode._can_read_heic", lambda: False)
    with pytest.raises(UnsupportedPicture, match=said) as refused:
        decode(data, LIMIT)
    assert "JPEG" in refused.value.detail


def test_heic_where_pillow_heif_is_installed() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    out = io.BytesIO()
    pillow_heif.from_pillow(corners()).save(out, quality=95)
    actual = decode(out.getvalue(), LIMIT)
    assert actual.size == (40, 24)
    assert np.median(np.abs(np.asarray(actual, dtype=int) - np.asarray(corners(), dtype=int))) <= 4
    with pytest.raises(Unprocessable, match="960 pixels"):
        decode(out.getvalue(), max_pixels=959)
    with pytest.raises(Unprocessable):
        decode(out.getvalue()[:300], LIMIT)


def test_16_bits_a_channel() -> None:
    actual = np.asarray(decode(rgb16(), LIMIT), dtype=int)
    assert np.abs(actual[0, :, 0] - np.linspace(0, 255, 32)).max() <= 1
    assert not actual[..., 1:].any()


def test_cmyk_jpeg() -> None:
    actual = np.asarray(decode(saved(corners().convert("CMYK"), "JPEG", quality=95), LIMIT), dtype=int)
    expected = np.asarray(corners(), dtype=int)
    assert np.median(np.abs(actual - expected)) <= 6
    assert actual[2, 2, 0] > 200
    assert actual[2, 2, 1:].max() < 60


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_transparency_is_over_white(mode: str) -> None:
    """The left half is gone: white; of RGBA and LA, a quarter is half gone: halfway to white."""
    rgba = Image.new("RGBA", (16, 8), (100, 100, 100, 255))
    rgba.paste((0, 0, 0, 0), (0, 0, 8, 8))
    if mode in ("RGBA", "LA"):
        rgba.paste((100, 100, 100, 128), (12, 0, 16, 8))
    if mode == "P":
        palette = Image.new("P", (16, 8), 1)
        palette.putpalette([9, 9, 9, 100, 100, 100])
        palette.paste(0, (0, 0, 8, 8))
        sent = saved(palette, transparency=0)
    elif mode == "PA":
        sent = saved(rgba, "GIF")
    else:
        sent = saved(rgba.convert(mode))
    actual = np.asarray(decode(sent, LIMIT), dtype=int)
    assert actual[4, 2].tolist() == [255, 255, 255]
    assert np.abs(actual[4, 10] - 100).max() <= 1
    if mode in ("RGBA", "LA"):
        assert np.abs(actual[4, 14] - 177).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_other_modes(mode: str) -> None:
    actual = np.asarray(decode(saved(Image.new(mode, (5, 4), 255 if mode != "RGB" else (255, 255, 255))), LIMIT))
    assert actual.shape == (4, 5, 3)
    assert actual.min() == 255


@pytest.mark.parametrize("kind", FORMATS)
def test_formats(kind: str) -> None:
    actual = decode(saved(corners(), kind), LIMIT)
    assert (actual.mode, actual.size) == ("RGB", (40, 24))


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "blue")]
    actual = decode(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), LIMIT)
    assert actual.getpixel((3, 3)) == (255, 0, 0)


@pytest.mark.parametrize("name", list(samples()))
def test_samples(name: str) -> None:
    assert decode(read_sample(name), LIMIT).mode == "RGB"


GARBAGE = {
    "text": b"hello, I am no picture",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "one byte": b"\xff",
    "tiff": saved(Image.new("RGB", (4, 4)), "TIFF"),
    "ppm": saved(Image.new("RGB", (4, 4)), "PPM"),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedPicture, match="JPEG") as caught:
        decode(GARBAGE[name], LIMIT)
    assert caught.value.status == 415
    assert caught.value.errors[0]["field"] == "image"


@pytest.mark.parametrize("data", [b"", bytes(1000)])
def test_empty(data: bytes) -> None:
    with pytest.raises(Unprocessable, match="empty"):
        decode(data, LIMIT)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_header_alone_is_damaged_not_another_format(kind: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        decode(saved(corners(), kind)[:16], LIMIT)
    assert caught.value.status == 422


def test_a_wav_file_is_another_format() -> None:
    with pytest.raises(UnsupportedPicture):
        decode(b"RIFF\x24\0\0\0WAVEfmt " + bytes(100), LIMIT)


def test_a_wrong_checksum_is_refused() -> None:
    whole = bytearray(saved(corners(), "PNG"))
    whole[whole.index(b"IDAT") + 20] ^= 1
    with pytest.raises(Unprocessable):
        decode(bytes(whole), LIMIT)
    whole = bytearray(saved(corners(), "PNG"))
    end = whole.index(b"IEND")
    whole[end - 5] ^= 1  # the checksum of the last IDAT itself: the pixels are whole
    with pytest.raises(Unprocessable, match="checksum"):
        decode(bytes(whole), LIMIT)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_truncated(kind: str, share: float) -> None:
    """Half a picture is refused, not filled up with grey."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = saved(Image.fromarray(noise), kind)
    with pytest.raises(Problem) as caught:
        decode(whole[: int(len(whole) * share)], LIMIT)
    assert caught.value.status in (415, 422)
    assert caught.value.errors[0]["field"] == "image"


def test_damaged_bytes_give_a_picture_or_a_problem() -> None:
    random = np.random.default_rng(1)
    for kind in FORMATS:
        whole = bytearray(saved(corners(), kind))
        for _ in range(40):
            damaged = bytearray(whole)
            for place in random.integers(0, len(whole), 4):
                damaged[place] = random.integers(0, 256)
            with suppress(UnsupportedPicture, Unprocessable):
                assert decode(bytes(damaged), LIMIT).mode == "RGB"


def test_size_is_checked_before_decoding() -> None:
    """A bomb: 30,000 × 30,000 pixels of nothing in a few kilobytes of PNG header."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    body = zlib.compress(bytes(1000))
    chunk += struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", zlib.crc32(b"IDAT" + body))
    with pytest.raises(Unprocessable, match="30000×30000 = 900,000,000"):
        decode(b"\x89PNG\r\n\x1a\n" + chunk, LIMIT)
    assert decode(saved(Image.new("RGB", (100, 10))), max_pixels=1000).size == (100, 10)
    with pytest.raises(Unprocessable, match="limit is 999"):
        decode(saved(Image.new("RGB", (100, 10))), max_pixels=999)


def test_scans_of_a_jpeg_are_bounded():
    """However few bytes they have; what a camera or an encoder makes has ten."""
    usual = saved(noise(), "JPEG", progressive=True)
    assert decode(usual, max_pixels=10**8).size == (128, 128)
    assert decode(many_scans(64, extra=MAX_SCANS - 20), max_pixels=10**8).size == (64, 64)
    for extra in (MAX_SCANS, 20_000):
        with pytest.raises(Unprocessable, match="scans"):
            decode(many_scans(64, extra=extra), max_pixels=10**8)
