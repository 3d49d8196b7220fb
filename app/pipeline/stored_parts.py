"""Parts of an explanation in the form in which they are stored, and in the one in which they are handed out.

Maps are packed (contract/packed_map.py), and the picture is a lossless WebP, two thirds of the same as PNG. Earlier
versions stored .npy and PNG; those are handed out as they are.
"""

from __future__ import annotations

import io
import logging

from PIL import Image

from ..contract.packed_map import map_as_npy
from ..storage.stores import AnyStore

log = logging.getLogger(__name__)


def read_part(store: AnyStore, explanation: str, name: str) -> bytes | None:
    """A part by its name: a map as .npy, the picture as PNG, others as they are; None if it is missing or damaged."""
    data = store.read(explanation, name)
    if data is None:
        return None
    try:
        if name.startswith("panel:"):
            return map_as_npy(data)
        return as_png(data) if is_webp(data) and name == "image" else data
    except (ValueError, OSError) as error:
        log.warning("a stored part cannot be read: %s", error)
        return None


def webp(picture: Image.Image) -> bytes:
    """An RGB picture as lossless WebP by the quickest way, which is quicker and smaller than the quickest PNG."""
    out = io.BytesIO()
    picture.save(out, "WEBP", lossless=True, quality=0, method=0)
    return out.getvalue()


def is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def as_png(data: bytes) -> bytes:
    """A WebP that `webp` has made as PNG, with the same pixels."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(data), formats=["WEBP"]) as picture:
        picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
