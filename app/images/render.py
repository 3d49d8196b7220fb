"""From a map of numbers to pixels. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .palettes import diverging, palettes


@dataclass(frozen=True)
class Scale:
    """The values at the two ends of a palette."""

    low: float
    high: float


def scale_of(values: np.ndarray, palette: str, percentile: float = 99) -> Scale:
    """Ends of the palette for `values`: |values| are clipped at their percentile.

    Symmetric about zero where the palette diverges or the map has both signs, so that zero has a place of its own;
    else from zero to the clip. An all-zero map has the scale 0 … 0.
    """
    limit = float(np.percentile(np.abs(values), percentile))
    if limit == 0.0:
        limit = float(np.abs(values).max(initial=0.0))  # a map of few points: the clip would erase all of them
    if palette in diverging() or (values.min(initial=0.0) < 0 < values.max(initial=0.0)):
        return Scale(-limit, limit)
    return Scale(-limit, 0.0) if values.min(initial=0.0) < 0 else Scale(0.0, limit)


def colourise(values: np.ndarray, palette: str, scale: Scale) -> np.ndarray:
    """(H, W) → (H, W, 3) uint8; a scale of no extent renders as the colour of zero, never NaN."""
    extent = scale.high - scale.low
    if extent > 0:
        position = np.clip((values - scale.low) / extent, 0, 1)
    else:
        position = np.full(values.shape, 0.5 if palette in diverging() else 0.0)
    return palettes()[palette][np.round(position * 255).astype(np.uint8)]


def draw(values: np.ndarray, palette: str, percentile: float, under: Image.Image | None, overlay: float) -> Image.Image:
    """The map coloured; over the picture `under` with opacity `overlay`, where one is given."""
    coloured = Image.fromarray(colourise(values, palette, scale_of(values, palette, percentile)))
    if under is None:
        return coloured
    return Image.blend(under.convert("RGB").resize(coloured.size), coloured, overlay)
