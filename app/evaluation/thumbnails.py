"""Thumbnails for the report, as data: URLs, so that the report is one file."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from ..contract.arrays import reduce_channels
from ..images.palettes import MAGNITUDE_PALETTE
from ..images.render import draw

SIDE = 128


def of_picture(picture: Image.Image, side: int = SIDE) -> str:
    small = picture.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=72)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"


def of_map(values: np.ndarray, side: int = SIDE) -> str:
    """A thumbnail of a map (C, H, W), as the sum of |·| over channels."""
    return of_picture(draw(reduce_channels(values, "abs"), MAGNITUDE_PALETTE, signed=False), side)
