"""Segments of a picture at several scales, by colour alone."""

from __future__ import annotations

import math

import numpy as np

# As PAIR saliency has them, for pictures of 224 × 224 with values in [−1, 1].
SCALES = (50, 100, 150, 250, 500, 1200)
SIGMA = 0.8
MIN_SIZE = 150
SIDE = 224
AT_A_TIME = 16  # masks, so that they stay in the cache of the processor


def segments_of(picture: np.ndarray, dilation: int) -> np.ndarray:
    """Masks, (n, H, W), of a picture, (H, W, C): its segments at each of `SCALES`, by Felzenszwalb and Huttenlocher.

    The picture is stretched to [−1, 1] and scaled to 224 × 224 for it, since a scale means something for one size only.
    Each segment is widened by a disc of radius `dilation`.
    """
    # here: it is not needed before, and takes a while to import
    from skimage.segmentation import felzenszwalb
    from skimage.transform import resize

    def scaled_to(values: np.ndarray, size: tuple[int, int], order: int) -> np.ndarray:
        smooth = order > 0  # labels have no values in between
        found: np.ndarray = resize(  # type: ignore[no-untyped-call]
            values, size, order=order, mode="constant", preserve_range=True, anti_aliasing=smooth
        )
        return found

    scaled = scaled_to(stretched(picture), (SIDE, SIDE), order=3)
    masks = []
    for scale in SCALES:
        labels = felzenszwalb(scaled, scale=scale, sigma=SIGMA, min_size=MIN_SIZE)
        labels = scaled_to(labels, picture.shape[:2], order=0).astype(int)
        masks.append(labels == np.arange(labels.min(), labels.max() + 1)[:, None, None])
    return widened(np.concatenate(masks), dilation)


def stretched(picture: np.ndarray) -> np.ndarray:
    """The values stretched to [−1, 1]; of a picture of one value they are 0."""
    lowest, highest = float(picture.min()), float(picture.max())
    if lowest == highest:
        return np.zeros_like(picture)
    return (picture - lowest) / (highest - lowest) * 2 - 1


def widened(masks: np.ndarray, radius: int) -> np.ndarray:
    """Masks, (n, H, W), each with all places that are within `radius` of it."""
    return np.concatenate([by_disc(masks[k : k + AT_A_TIME], radius) for k in range(0, len(masks), AT_A_TIME)])


def by_disc(masks: np.ndarray, radius: int) -> np.ndarray:
    """The union of each mask moved to every place of a disc: row by row of the disc, from its ends to its middle.

    A row reaches as far to both sides as the one before, and then some: so each takes only the moves that it adds.
    """
    height = masks.shape[1]
    found, wide = np.zeros_like(masks), masks.copy()
    reach = 0
    for down in range(radius, -1, -1):
        half = math.isqrt(radius**2 - down**2)
        for side in range(reach + 1, half + 1):
            wide[..., side:] |= masks[..., :-side]
            wide[..., :-side] |= masks[..., side:]
        reach = half
        if down < height:
            found[:, down:] |= wide[:, : height - down]
            found[:, : height - down] |= wide[:, down:]
    return found
