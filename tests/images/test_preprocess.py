"""Preprocessing against torchvision's and timm's own evaluation transforms, on the sample pictures."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from gradoscope.images.decode import decode
from gradoscope.images.input_spec import Input
from gradoscope.images.preprocess import MAX_ENLARGEMENT, preprocess, requested_input
from gradoscope.images.samples import read_sample, samples
from PIL import Image, ImageFilter
from timm.data import create_transform
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

LITE0 = Input(size=(224, 224), interpolation="bicubic", crop_fraction=0.875)
CARDS = {
    "lite0": LITE0,
    "lite1": Input(size=(240, 240), interpolation="bicubic", crop_fraction=0.882),
    "lite2": Input(size=(260, 260), interpolation="bicubic", crop_fraction=0.89),
    "bilinear": Input(size=(224, 224), interpolation="bilinear", crop_fraction=0.875),
    "whole": Input(size=(224, 224), interpolation="bicubic", crop_fraction=1.0),
    "inception": Input(size=(299, 299), interpolation="bicubic", crop_fraction=0.95),
    "wide": Input(size=(160, 240), interpolation="bilinear", crop_fraction=0.9),
}


def two_steps(picture: Image.Image, card: Input) -> np.ndarray:
    """torchvision's: the shorter side to size / crop_fraction, then the centre."""
    resize = Resize(int(card.size[0] / card.crop_fraction), InterpolationMode(card.interpolation))
    return np.asarray(Compose([resize, CenterCrop(card.size)])(picture), dtype=int)


def timm_eval(picture: Image.Image, card: Input) -> np.ndarray:
    transform = create_transform(
        (3, *card.size),
        interpolation=card.interpolation,
        crop_pct=card.crop_fraction,
        crop_mode={"crop": "center", "pad": "border", "squash": "squash"}[card.fit],
        mean=card.mean,
        normalize=False,
    )
    return np.asarray(transform(picture), dtype=int).transpose(1, 2, 0)


@pytest.mark.parametrize("name", list(samples()))
@pytest.mark.parametrize("card", CARDS)
def test_against_torchvision_and_timm(card: str, name: str) -> None:
    """The same to the last bit; where the crop is not square, timm rounds the scaled size in another way, which comes
    to one level of 255 in 0.7 % of the values."""
    picture = decode(read_sample(name), max_pixels=10**8)
    for sent in (picture, picture.transpose(Image.Transpose.ROTATE_90), picture.crop((3, 5, 300, 218))):
        actual = np.asarray(preprocess(sent, CARDS[card]).picture, dtype=int)
        peers = [timm_eval(sent, CARDS[card])]
        if card != "wide":
            peers.append(two_steps(sent, CARDS[card]))
        for expected in peers:
            assert np.abs(actual - expected).max() <= (card == "wide")
            assert (actual != expected).mean() < 0.01


@pytest.mark.parametrize("fit", ["pad", "squash"])
@pytest.mark.parametrize("fraction", [1.0, 0.9])
@pytest.mark.parametrize("size", [(224, 224), (160, 240)])
def test_pad_and_squash_against_timm(fit: str, fraction: float, size: tuple[int, int]) -> None:
    card = Input(size=size, fit=fit, crop_fraction=fraction, interpolation="bicubic", mean=(0.5, 0.4, 0.3))  # type: ignore[arg-type]
    for name in ("cat", "rocket"):
        picture = decode(read_sample(name), max_pixels=10**8)
        for sent in (picture, picture.transpose(Image.Transpose.ROTATE_90), picture.crop((0, 0, 300, 60))):
            actual = np.asarray(preprocess(sent, card).picture, dtype=int)
            assert np.array_equal(actual, timm_eval(sent, card))


@pytest.mark.parametrize("resize", [232, 256, 342])
def test_resize_as_torchvision_states_it(resize: int) -> None:
    side = 299 if resize == 342 else 224
    card = Input(size=(side, side), resize=resize)
    expected = Compose([Resize(resize, InterpolationMode.BILINEAR), CenterCrop(side)])
    picture = decode(read_sample("cat"), max_pixels=10**8)
    assert np.array_equal(np.asarray(preprocess(picture, card).picture), np.asarray(expected(picture)))


def test_what_a_request_asks_for() -> None:
    card = Input(size=(224, 224), resize=232)
    assert requested_input(card, fit=None, size=None) == card
    assert requested_input(card, "crop", (224, 224)) == card
    whole = requested_input(card, fit="squash", size=None)
    assert (whole.fit, whole.crop_fraction, whole.resize) == ("squash", 1.0, None)
    larger = requested_input(card, fit=None, size=(448, 448))
    assert (larger.size, larger.resize) == ((448, 448), 464)  # the same share of the picture
    own = Input(size=(224, 224), fit="squash", crop_fraction=0.9)
    assert requested_input(own, fit="squash", size=None).crop_fraction == 0.9  # the card's own way
    assert requested_input(own, fit="crop", size=None).crop_fraction == 0.9
    assert requested_input(LITE0, fit=None, size=(320, 256)).size == (320, 256)


@pytest.mark.parametrize(
    ("fit", "size", "crop"),
    [
        ("pad", (400, 200), (0, -100, 400, 300)),
        ("pad", (200, 400), (-100, 0, 300, 400)),
        ("squash", (400, 200), (0, 0, 400, 200)),
        ("crop", (400, 200), (112.5, 12.5, 287.5, 187.5)),
    ],
)
def test_crop_of_each_fit(fit: str, size: tuple[int, int], crop: tuple[float, ...]) -> None:
    """With `crop` alone, a point of the original is found in the model's input, however that was made."""
    card = requested_input(LITE0, fit, size=None)  # type: ignore[arg-type]
    values = np.zeros((size[1], size[0], 3), np.uint8)
    x, y = size[0] // 2 - 60, size[1] // 2 + 40
    values[y - 8 : y + 8, x - 8 : x + 8, 0] = 255
    seen = preprocess(Image.fromarray(values), card)
    assert seen.crop == pytest.approx(crop, abs=0.6)
    x0, y0, x1, y1 = seen.crop
    there = round((x - x0) / (x1 - x0) * 224), round((y - y0) / (y1 - y0) * 224)
    red = np.asarray(seen.picture)[..., 0].astype(float) - np.asarray(seen.picture)[..., 1]
    rows, columns = np.nonzero(red > 128)
    assert abs(columns.mean() - there[0]) <= 1
    assert abs(rows.mean() - there[1]) <= 1


def test_padding_has_the_mean_colour() -> None:
    card = requested_input(Input(size=(64, 64), mean=(0.2, 0.4, 0.6)), fit="pad", size=None)
    seen = np.asarray(preprocess(Image.new("RGB", (100, 50), "white"), card).picture)
    assert seen[0, 0].tolist() == seen[-1, -1].tolist() == [51, 102, 153]
    assert seen[32, 32].tolist() == [255, 255, 255]


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_grey(fit: str) -> None:
    card = Input(size=(28, 32), channels=1, fit=fit)  # type: ignore[arg-type]
    picture = decode(read_sample("cat"), max_pixels=10**8)
    seen = preprocess(picture, card)
    assert seen.picture.mode == "L"
    assert seen.pixels.shape == (1, 28, 32)
    colour = Input(size=(28, 32), fit=fit)  # type: ignore[arg-type]
    expected = np.asarray(preprocess(picture, colour).picture.convert("L"), dtype=float) / 255
    if fit != "pad":  # there the padding has another colour
        assert np.abs(seen.pixels[0] - expected).max() < 0.02


def test_pixels() -> None:
    picture = Image.fromarray(np.arange(300 * 400 * 3, dtype=np.uint32).astype(np.uint8).reshape(300, 400, 3))
    seen = preprocess(picture, LITE0)
    assert seen.pixels.shape == (3, 224, 224)
    assert seen.pixels.dtype == np.float32
    assert np.array_equal(np.round(seen.pixels * 255).astype(np.uint8).transpose(1, 2, 0), np.asarray(seen.picture))


@pytest.mark.parametrize(
    ("size", "crop"),
    [
        ((512, 512), (32, 32, 480, 480)),
        ((800, 400), (225, 25, 575, 375)),
        ((400, 800), (25, 225, 375, 575)),
        ((256, 256), (16, 16, 240, 240)),
        ((64, 64), (4, 4, 60, 60)),
    ],
)
def test_crop_lies_in_the_original(size: tuple[int, int], crop: tuple[float, ...]) -> None:
    assert preprocess(Image.new("RGB", size), LITE0).crop == pytest.approx(crop)


def test_crop_frames_what_the_model_sees() -> None:
    """A marker at the crop's corner in the original is at the corner of the seen picture."""
    values = np.zeros((600, 900, 3), np.uint8)
    x0, y0, x1, y1 = (round(edge) for edge in preprocess(Image.new("RGB", (900, 600)), LITE0).crop)
    values[y0 : y0 + 40, x0 : x0 + 40, 0] = 255
    values[y1 - 40 : y1, x1 - 40 : x1, 1] = 255
    seen = np.asarray(preprocess(Image.fromarray(values), LITE0).picture)
    assert seen[8, 8].tolist() == [255, 0, 0]
    assert seen[-9, -9].tolist() == [0, 255, 0]
    assert seen[8, -9].tolist() == [0, 0, 0]


@pytest.mark.parametrize("size", [(1, 1), (65500, 1), (1, 65500), (3, 2), (224, 1), (12000, 7)])
@pytest.mark.parametrize("card", ["lite0", "wide", "pad", "squash"])
def test_extreme_pictures_stay_small(size: tuple[int, int], card: str) -> None:
    """Resizing first and cropping then would make gigabytes of 65500×1. NumPy's memory is in this peak;
    Pillow's is not, so `test_nothing_large_in_between` looks at sizes."""
    out = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(out, "PNG")
    tracemalloc.start()
    whole = {fit: requested_input(LITE0, fit, size=None) for fit in ("pad", "squash")}  # type: ignore[arg-type]
    input = CARDS.get(card) or whole[card]
    seen = preprocess(decode(out.getvalue(), max_pixels=10**8), input)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000
    assert seen.picture.size == input.size[::-1]
    if card == "pad":
        assert np.abs(np.asarray(seen.picture, dtype=int) - (10, 200, 30)).max(-1).min() <= 1  # a line of it at least
        return
    assert np.abs(np.asarray(seen.picture, dtype=int) - (10, 200, 30)).max() <= 1
    x0, y0, x1, y1 = seen.crop
    assert 0 <= x0 < x1 <= size[0]
    assert 0 <= y0 < y1 <= size[1]


@pytest.mark.parametrize("size", [(4000, 240), (240, 4000)])
def test_narrow_pictures_are_sampled_from_the_box_of_the_crop(size: tuple[int, int]) -> None:
    """Compared with their own middle, which is wide enough to be resized whole: the same pixels but for rounding."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    narrow = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2))
    x, y = (max(0, side // 2 - 600) for side in size)
    wide = narrow.crop((x, y, size[0] - x, size[1] - y))
    actual, expected = (np.asarray(preprocess(picture, LITE0).picture, dtype=int) for picture in (narrow, wide))
    assert np.abs(actual - expected).max() <= 2


@pytest.mark.parametrize("size", [(65500, 1), (1, 65500), (3000, 1000), (1000, 3000)])
def test_nothing_large_in_between(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    resize = Image.Image.resize

    def spy(self: Image.Image, size: tuple[int, int], *rest: object, **options: object) -> Image.Image:
        asked.append(size)
        return resize(self, size, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "resize", spy)
    preprocess(Image.new("RGB", size), LITE0)
    assert (
        max(width * height for width, height in asked) <= MAX_ENLARGEMENT * 256 * 256
    )  # 256: the side before the crop to 224
