"""What a box holds of a map, computed by hand."""

from __future__ import annotations

import numpy as np


def shares(values: np.ndarray, signed: np.ndarray, box: list[float]) -> dict[str, float | None]:
    """The same by a sum over 1/8 pixels."""
    height, width = values.shape
    fine = [np.kron(v, np.ones((8, 8))) / 64 for v in (np.ones_like(values), np.abs(values), np.maximum(signed, 0))]
    x0, x1 = (round(8 * width * u) for u in (box[0], box[2]))
    y0, y1 = (round(8 * height * v) for v in (box[1], box[3]))
    parts = [part[max(y0, 0) : y1, max(x0, 0) : x1].sum() / part.sum() if part.sum() else None for part in fine]
    return dict(zip(("area", "map", "positive"), parts, strict=True))
