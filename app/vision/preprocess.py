"""What a model sees of a picture: resize and centre crop as its card says, on 8-bit pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..zoo.cards import Input

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
MOST = 16


@dataclass(frozen=True)
class Seen:
    """The pixels that a model saw, and where they lie in the upright original.

    `crop` is (x0, y0, x1, y1) in pixels of the original.
    """

    picture: Image.Image
    crop: tuple[float, float, float, float]

    @property
    def pixels(self) -> np.ndarray:
        """RGB in [0, 1], float32, (3, H, W)."""
        values = np.asarray(self.picture, dtype=np.float32) / 255
        return np.ascontiguousarray(values.transpose(2, 0, 1))


def preprocess(picture: Image.Image, card: Input) -> Seen:
    """Resize the shorter side to size / crop_fraction, then crop the centre.

    A picture so narrow that resizing all of it would make more than `MOST` times the crop (65500×1 would grow to
    gigabytes) is resampled from the box that the crop has in it: the same but for rounding.
    """
    height, width = card.size
    scaled_width, scaled_height = _scaled(picture.size, card)
    left, top = round((scaled_width - width) / 2), round((scaled_height - height) / 2)
    across, down = picture.width / scaled_width, picture.height / scaled_height
    crop = (left * across, top * down, (left + width) * across, (top + height) * down)
    box = (max(crop[0], 0.0), max(crop[1], 0.0), min(crop[2], picture.width), min(crop[3], picture.height))
    kernel = FILTERS[card.interpolation]
    if scaled_width * scaled_height > MOST * width * height:
        return Seen(picture.resize((width, height), kernel, box=box), box)
    scaled = picture.resize((scaled_width, scaled_height), kernel)
    return Seen(scaled.crop((left, top, left + width, top + height)), box)


def _scaled(size: tuple[int, int], card: Input) -> tuple[int, int]:
    """Width and height after resizing, as torchvision's and timm's evaluation transforms round them."""
    width, height = size
    target_height, target_width = (math.floor(side / card.crop_fraction) for side in card.size)
    if target_height == target_width:  # the shorter side becomes the target, the longer keeps the aspect
        shorter = target_height
        if width <= height:
            return shorter, max(shorter, int(shorter * height / width))
        return max(shorter, int(shorter * width / height)), shorter
    scale = max(target_width / width, target_height / height)
    return max(target_width, round(width * scale)), max(target_height, round(height * scale))
