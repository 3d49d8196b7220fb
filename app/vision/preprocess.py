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

    Done by resampling from the box that the crop has in the original (the filter still reads beyond the box's edge, as
    it would in two steps): a picture of 65500×1 would else grow to gigabytes in between.
    """
    height, width = card.size
    scaled_width, scaled_height = _scaled(picture.size, card)
    left, top = round((scaled_width - width) / 2), round((scaled_height - height) / 2)
    across, down = picture.width / scaled_width, picture.height / scaled_height
    crop = (left * across, top * down, (left + width) * across, (top + height) * down)
    box = (max(crop[0], 0.0), max(crop[1], 0.0), min(crop[2], picture.width), min(crop[3], picture.height))
    return Seen(_resample(picture, (width, height), FILTERS[card.interpolation], box), box)


def _resample(
    picture: Image.Image, size: tuple[int, int], kernel: Image.Resampling, box: tuple[float, float, float, float]
) -> Image.Image:
    """The box at `size`; first across, then down, as Pillow resizes a whole picture.

    Given a box, it takes a portrait the other way round, and rounding in between makes up to 8 levels of difference.
    Rows beyond the kernel's reach are left out, since a picture of 1×65500 would else become 224×65500 in between.
    """
    left, upper, right, lower = box
    reach = math.ceil(3 * max(1.0, (lower - upper) / size[1])) + 1
    first, last = max(0, math.floor(upper) - reach), min(picture.height, math.ceil(lower) + reach)
    rows = picture.crop((0, first, picture.width, last))
    across = rows.resize((size[0], rows.height), kernel, box=(left, 0, right, rows.height))
    return across.resize(size, kernel, box=(0, upper - first, size[0], lower - first))


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
