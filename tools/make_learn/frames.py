"""Frames of maps and pictures, strips of frames, and helpers for the numbers of a figure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def magnitude(values: Tensor) -> np.ndarray:
    """Sum of |·| over the channels: (H, W)."""
    return values.abs().sum(0).float().numpy()


def clip(values: np.ndarray) -> float:
    """The magnitude at which colours end: the 99th percentile."""
    return float(np.percentile(values, 99)) or float(values.max()) or 1.0


def grey(values: np.ndarray, limit: float) -> Image.Image:
    """A frame of a map."""
    levels = np.clip(values[::2, ::2] / limit, 0, 1) * 255
    return Image.fromarray(np.round(levels).astype(np.uint8))


def rgb(picture: Tensor) -> Image.Image:
    """A frame of a picture, clamped to [0, 1]."""
    levels = picture.clamp(0, 1).permute(1, 2, 0).numpy()[::2, ::2] * 255
    return Image.fromarray(np.round(levels).astype(np.uint8))


def strip(frames: Iterable[Image.Image]) -> Image.Image:
    listed = list(frames)
    side = listed[0].width
    row = Image.new(listed[0].mode, (side * len(listed), side))
    for place, frame in enumerate(listed):
        row.paste(frame, (place * side, 0))
    return row


def cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.cosine_similarity(a.flatten().double(), b.flatten().double(), dim=0))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of ranks; maps have next to no ties."""
    ranks = [np.argsort(np.argsort(values.ravel())).astype(float) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def significant(value: float, digits: int = 3) -> float:
    return float(f"{value:.{digits}g}")


def rounded(values: Iterable[float], digits: int = 4) -> list[float]:
    return [round(value, digits) for value in values]
