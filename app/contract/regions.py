"""Regions of a picture as text, as requests have them: a box, or the run lengths of a mask."""

from __future__ import annotations

import numpy as np


def run_lengths(mask: np.ndarray) -> str:
    """The runs of a mask, (H, W), as text: how many places outside, inside, outside, … column by column from the upper
    left, as in COCO's uncompressed `counts`. Places that are not 0 are inside.

    Raises `ValueError` for another shape, or a mask without places.
    """
    values = np.asarray(mask)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"a mask is (H, W), not {values.shape}")
    flat = (values != 0).T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return " ".join(map(str, [0, *runs] if flat[0] else runs))
