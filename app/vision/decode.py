"""From bytes to an upright 8-bit RGB picture. They come from strangers: no decoding before the limits hold."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError, features

from ..errors import Unprocessable, UnsupportedPicture

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", *(["AVIF"] if features.check("avif") else [])]
ALLOWED = ", ".join(FORMATS)
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")


def decode(data: bytes, max_pixels: int) -> Image.Image:
    """The first frame of `data`, upright by its EXIF orientation, alpha over white, as 8-bit RGB.

    Raises `UnsupportedPicture` (415) where the bytes are no allowed format, and `Unprocessable` (422) where they
    are empty, damaged or of more than `max_pixels` pixels; the size is checked before anything is decoded.
    """
    if not data.strip(b"\0"):
        raise Unprocessable(
            "The picture is empty: no bytes arrived, or only zeros. Send the whole file.", field="image"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged EXIF and the like; the size is checked below, by ourselves
        picture = _open(data)
        _check_size(picture.size, max_pixels)
        try:
            if picture.format == "PNG":
                _open(data).verify()  # checksums, which loading passes over
            picture.load()
            return _flatten(_upright(picture))
        except MemoryError:
            raise
        except Exception as error:
            raise Unprocessable(
                f"This {picture.format} cannot be decoded ({_reason(error)}). Save it anew and send it whole.",
                field="image",
            ) from error


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        if data.startswith(SIGNATURES) or data[8:12] == b"WEBP" or data[4:12] == b"ftypavif":
            raise Unprocessable("The picture's header is damaged or cut off. Save it anew.", field="image") from error
        raise UnsupportedPicture(
            f"These bytes are not a picture of an allowed format. Send one of: {ALLOWED}.", field="image"
        ) from error
    except Exception as error:
        raise Unprocessable(
            f"The picture's header is damaged or beyond the limits ({_reason(error)}). Save it anew.", field="image"
        ) from error


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise Unprocessable(f"The picture is {width}×{height} pixels: it has no pixels to explain.", field="image")
    if width * height > max_pixels:
        raise Unprocessable(
            f"It has {width}×{height} = {width * height:,} pixels; the limit is {max_pixels:,}. Scale it down.",
            field="image",
        )


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\n")[0][:120]


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except (SyntaxError, ValueError, KeyError, TypeError, OSError, ZeroDivisionError, OverflowError):
        return picture  # damaged EXIF says nothing about the orientation; the pixels are still good


def _flatten(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        return _from_deep_grey(picture)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture.convert("RGB")


def _from_deep_grey(picture: Image.Image) -> Image.Image:
    """16 bits a pixel: Pillow's own conversion clips at 255, so divide."""
    values = np.asarray(picture).astype(np.float64)
    grey = np.clip(np.round(values / 257), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


ImageFile.LOAD_TRUNCATED_IMAGES = False  # half a picture is refused, not filled up with grey
Image.MAX_IMAGE_PIXELS = None  # replaced by _check_size, which has one limit and one message
