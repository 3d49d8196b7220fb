"""A map that was made elsewhere, as it is uploaded: checked before it is stored beside ours."""

from __future__ import annotations

import io
import re
import unicodedata

import numpy as np

from .problems import Unprocessable

UPLOADED = "uploaded"  # begins the method of an uploaded map's panel
METHOD = re.compile(rf"{UPLOADED}-\d+")
MAX_TITLE = 80  # characters
MAX_MAPS = 16  # of one explanation
MAX_SIDE = 2048
CHANNELS = (1, 3)


def is_uploaded(method: str) -> bool:
    """Whether a panel's method says that its map was uploaded."""
    return METHOD.fullmatch(method) is not None


def checked_title(title: str) -> str:
    """A title without spaces around it. Raises `Unprocessable`."""
    plain = title.strip()
    if not plain or len(plain) > MAX_TITLE or any(unicodedata.category(char)[0] == "C" for char in plain):
        raise Unprocessable(
            f"title: give the map a title of 1 to {MAX_TITLE} characters, which people will see beside it, without "
            "line breaks.",
            field="title",
        )
    return plain


def uploaded_values(data: bytes) -> np.ndarray:
    """The map in a .npy file, (H, W) or (C, H, W) of numbers, as (C, H, W) in float32.

    Raises `Unprocessable` for another file, shape or kind of numbers, and where a value is not finite in float32.
    """
    shape, dtype = _header(data)
    if len(shape) == 3 and shape[0] not in CHANNELS:
        raise _refused(f"it has {shape[0]} channels, and a map has 1 or 3: save it as (H, W) or (C, H, W)")
    if len(shape) not in (2, 3) or not all(1 <= side <= MAX_SIDE for side in shape[-2:]):
        told = " × ".join(map(str, shape)) or "a single number"
        raise _refused(f"it is {told}, and a map is (H, W) or (C, H, W), with at most {MAX_SIDE} pixels on a side")
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise _refused(f"its values are {dtype}. Save real numbers, as in values.astype('float32')")
    try:
        values = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _refused("it ends too early, or is damaged. Save it again by numpy.save") from error
    with np.errstate(over="ignore", invalid="ignore"):
        plain = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(plain).all():
        raise _refused(
            "some values are NaN or infinite, or too large for float32. Replace them, as by numpy.nan_to_num, if you "
            "know what they mean"
        )
    return plain if plain.ndim == 3 else plain[None]


def _header(data: bytes) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and kind of numbers of a .npy file, before any value is read. Raises `Unprocessable`."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    except (ValueError, OSError, EOFError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise _refused("it is no .npy file. Save an array by numpy.save(file, values)") from error
    return shape, dtype


def _refused(why: str) -> Unprocessable:
    return Unprocessable(f"map: {why}.", field="map")
