"""Which segments come first: those in which what is attributed is dense."""

from __future__ import annotations

import numpy as np

FEWEST = 50  # pixels that a segment must add to what is taken already


def rank_regions(attribution: np.ndarray, segments: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The regions of (H, W), the densest first, and for each pixel the mean of its region.

    Greedily takes the segment, of (n, H, W), in whose pixels not taken yet the attribution has the largest mean; these
    pixels are its region. A segment that adds fewer than `FEWEST` is left out. The pixels that no segment takes are the
    last region.
    """
    values, masks = attribution.ravel(), segments.reshape(len(segments), -1)
    free = np.ones(values.size, dtype=bool)
    # of the free pixels of each segment: their number, and what is attributed to them
    counts, sums = masks.sum(1), np.array([values[mask].sum() for mask in masks])
    left = counts >= FEWEST
    taken: list[tuple[float, np.ndarray]] = []
    while left.any():
        best = int(np.argmax(np.where(left, sums / np.maximum(counts, 1), -np.inf)))
        region = masks[best] & free
        taken.append((float(values[region].mean()), region))
        free &= ~region
        places = np.flatnonzero(region)
        touched = masks[:, places]
        counts = counts - touched.sum(1)
        sums = sums - touched @ values[places]
        left &= counts >= FEWEST
    ranked = [region for _, region in sorted(taken, key=lambda pair: -pair[0])]
    if free.any():
        ranked.append(free)
    means = np.empty_like(values)
    for region in ranked:
        means[region] = values[region].mean()
    return [region.reshape(attribution.shape) for region in ranked], means.reshape(attribution.shape)
