"""From a map of numbers to pixels: the one rule by which server, clients and page colour a map. Needs no torch.

The rule, for a map v of shape (H, W), reduced over its channels, in float32:

1. Clip. `limit` is the `percentile` of |v|, interpolated linearly between ranks (NumPy's `percentile`). Where that is
   zero, as in a map of a few points, it is max |v|: nothing is clipped.
2. Scale. What was reduced to signed values (`sum`), and anything in a diverging palette, goes from -limit to limit:
   zero has the middle. All other maps go from 0 to limit: zero has the first colour. So the scale depends on what was
   asked for, never on the signs that happen to be there: zero has the same colour in every map of a figure, and one
   pixel of -1e-9 does not change the others. (Where the limit is 0, both ends are 0.)
3. Index. (v - low) / (high - low) is cut to 0 … 1 and times 255 rounded to the nearest entry of the palette, halves to
   the even one. Zero of a symmetric scale is entry 128.
4. Neutral colour. A map in which all values are equal, zeros among them, has nothing to tell apart: all of it takes
   the colour of zero, entry 128 of a symmetric scale, else entry 0. A colour is never taken from NaN.
5. Overlay. Over a picture p with opacity o, a colour c becomes p + o · (c - p), for each channel from 0 to 255,
   with the fraction cut off. (A browser rounds instead, so the page may be one step off.)

`static/js` follows the same rule; tests/images/golden_rendering.json holds both to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from ..contract.arrays import Reduction
from .palettes import diverging, palettes

PERCENTILE = 99.0  # of |values|, where a map is clipped unless another is asked for
MIDDLE = 128  # the entry of zero on a symmetric scale: 127.5 to the even one


@dataclass(frozen=True)
class Scale:
    """The values at the two ends of a palette; `symmetric`: zero is in the middle, also where both ends are zero."""

    low: float
    high: float
    symmetric: bool = field(default=False, compare=False)


def is_signed(reduction: Reduction) -> bool:
    """Whether values reduced so have signs."""
    return reduction == "sum"


def scale_of(values: np.ndarray, palette: str, percentile: float = PERCENTILE, *, signed: bool) -> Scale:
    """Ends of the palette for `values`, a map that was reduced to `signed` values or to magnitudes."""
    magnitudes = np.abs(values)
    limit = float(np.percentile(magnitudes, percentile))
    if limit == 0.0:
        limit = float(magnitudes.max(initial=0.0))
    symmetric = signed or palette in diverging()
    return Scale(-limit if symmetric else 0.0, limit, symmetric)


def palette_indices(values: np.ndarray, scale: Scale) -> np.ndarray:
    """(H, W) → (H, W) uint8: the entry of the palette for each value."""
    extent = scale.high - scale.low
    if extent <= 0 or values.size == 0 or values.min() == values.max():
        return np.full(values.shape, MIDDLE if scale.symmetric else 0, np.uint8)
    position = np.clip((values - scale.low) / extent, 0, 1)
    return np.asarray(np.round(position * 255), np.uint8)


def colourise(values: np.ndarray, palette: str, scale: Scale) -> np.ndarray:
    """(H, W) → (H, W, 3) uint8."""
    return np.asarray(palettes()[palette][palette_indices(values, scale)])


def draw(
    values: np.ndarray,
    palette: str,
    percentile: float = PERCENTILE,
    under: Image.Image | None = None,
    overlay: float = 0.0,
    *,
    signed: bool,
) -> Image.Image:
    """The map coloured; over the picture `under` with opacity `overlay`, where one is given."""
    coloured = Image.fromarray(colourise(values, palette, scale_of(values, palette, percentile, signed=signed)))
    if under is None:
        return coloured
    return Image.blend(under.convert("RGB").resize(coloured.size), coloured, overlay)
