"""Segments of a picture at several scales, by colour alone."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import conv2d

# As PAIR saliency has them, for pictures of 224 × 224 with values in [−1, 1].
SCALES = (50, 100, 150, 250, 500, 1200)
SIGMA = 0.8
MIN_SIZE = 150
SIDE = 224
AT_A_TIME = 64


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
    if not radius:
        return masks
    across = torch.arange(-radius, radius + 1)
    disc = ((across[:, None] ** 2 + across**2) <= radius**2).float()[None, None]
    parts = torch.split(torch.from_numpy(masks), AT_A_TIME)
    found = [conv2d(part[:, None].float(), disc, padding=radius)[:, 0] > 0.5 for part in parts]
    return torch.cat(found).numpy()
