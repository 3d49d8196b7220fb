"""Converts the pictures that calls accept (paths, bytes, Pillow images, arrays) to the bytes of a file.

So an object goes the same way as a file with the same pixels: what a mode, an alpha channel or an EXIF orientation
means is decided in one place, where files are decoded.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from ..contract.problems import Unprocessable

Picture = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
"""A path, the bytes of a file, a Pillow image, or an array (H, W), (H, W, 1), (H, W, 3) or, with alpha, (H, W, 4):
uint8, or floats in [0, 1]."""
PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # that a PNG holds as they are
WITH_ALPHA = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}  # other modes with alpha, and what they are converted to
ORIENTATION = 0x0112  # EXIF's tag
CHANNELS = (1, 3, 4)  # of arrays
ROUNDING = 1e-6  # of floats, beyond 0 and 1


def read_bytes(picture: Picture) -> bytes:
    """The unchanged bytes of a file, or a PNG of an image or array. Raises `Unprocessable`."""
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, Image.Image):
        return _png_of_image(picture)
    if isinstance(picture, np.ndarray):
        return _png(Image.fromarray(_to_uint8(picture)))
    if not isinstance(picture, (str, os.PathLike)):
        raise Unprocessable(
            f"image: {type(picture).__name__} is no picture. Give a path, the bytes of a file, a Pillow image, or an "
            "array (H, W, 3).",
            field="image",
        )
    try:
        return Path(picture).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = getattr(error, "strerror", None) or str(error)
        raise Unprocessable(f"image: {str(picture)!r} cannot be read: {reason}.", field="image") from error


def _png_of_image(image: Image.Image) -> bytes:
    """A PNG that decodes to what the file of a Pillow image would: with its alpha, depth and EXIF orientation."""
    try:
        image.load()  # a file that was only opened is read now
    except Exception as error:
        raise Unprocessable(f"image: it cannot be decoded ({_reason(error)}).", field="image") from error
    if 0 in image.size:
        raise Unprocessable(f"image: it is {image.width}×{image.height} pixels: there is nothing in it.", field="image")
    orientation = _orientation(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _as_16_bits(image)
    elif image.mode not in PNG_MODES:
        image = image.convert(WITH_ALPHA.get(image.mode, "RGBA" if image.has_transparency_data else "RGB"))
    return _png(image, orientation)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1, upright, where there is none."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:
        return 1  # damaged EXIF says nothing about the orientation


def _as_16_bits(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits as 16 bits, as in its file. Raises `Unprocessable` if it is not within 0 … 65535."""
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise Unprocessable(
            f"image: a Pillow image of mode {image.mode} with values of {float(values.min()):.4g} … "
            f"{float(values.max()):.4g} is no picture whose black and white are known. Convert it to 8 bits, or give "
            "an array of floats in [0, 1].",
            field="image",
        )
    return Image.fromarray(values.astype(np.uint16))


def _to_uint8(values: np.ndarray) -> np.ndarray:
    """An array as uint8, (H, W), (H, W, 3) or (H, W, 4); floats are rounded."""
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in CHANNELS) or not values.size:
        raise Unprocessable(
            f"image: an array of shape {values.shape} is no picture. It must be (height, width, 3), (height, width, 4) "
            "with alpha, or (height, width) for grey.",
            field="image",
        )
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if not np.issubdtype(values.dtype, np.number):
        raise Unprocessable(
            f"image: an array of {values.dtype} is no picture. It must be uint8, or floats in [0, 1].", field="image"
        )
    low, high = float(values.min().real), float(values.max().real)
    if not np.issubdtype(values.dtype, np.floating) or not (low >= -ROUNDING and high <= 1 + ROUNDING):
        raise Unprocessable(
            f"image: an array of {values.dtype} with values of {low:.4g} … {high:.4g} is no picture. It must be uint8, "
            "or floats in [0, 1].",
            field="image",
        )
    return np.round(values.clip(0, 1) * 255).astype(np.uint8)


def _png(image: Image.Image, orientation: int = 1) -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    if orientation != 1:
        exif[ORIENTATION] = orientation
    image.save(out, "PNG", compress_level=1, exif=exif)
    return out.getvalue()


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\n")[0][:120]
