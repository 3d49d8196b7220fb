"""Converts the pictures that calls accept (paths, bytes, Pillow images, arrays) to the bytes of a file."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from ..contract.problems import Unprocessable

Picture = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
"""A path, the bytes of a file, a Pillow image, or an array (H, W, 3) or (H, W): uint8, or floats in [0, 1]."""
PNG_MODES = ("L", "RGB", "RGBA")


def read_bytes(picture: Picture) -> bytes:
    """The unchanged bytes of a file, or a PNG of an image or array. Raises `Unprocessable`."""
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, Image.Image):
        return _png(picture if picture.mode in PNG_MODES else picture.convert("RGB"))
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
    except OSError as error:
        raise Unprocessable(f"image: {picture} cannot be read: {error.strerror}.", field="image") from error


def _to_uint8(values: np.ndarray) -> np.ndarray:
    """An array as uint8; floats are rounded."""
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] != 3) or not values.size:
        raise Unprocessable(
            f"image: an array of shape {values.shape} is no picture. It must be (height, width, 3), or (height, width) "
            "for grey.",
            field="image",
        )
    if values.dtype == np.uint8:
        return values
    low, high = float(values.min()), float(values.max())
    if not np.issubdtype(values.dtype, np.floating) or not (low >= 0 and high <= 1):
        raise Unprocessable(
            f"image: an array of {values.dtype} with values of {low:.4g} … {high:.4g} is no picture. It must be uint8, "
            "or floats in [0, 1].",
            field="image",
        )
    return np.round(values * 255).astype(np.uint8)


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()
