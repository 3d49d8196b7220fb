"""What a model sees of a picture: resized and cropped, padded or squashed as its card says, on 8-bit pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..contract.jobs import Fit
from .input_spec import Input

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
MOST = 16


@dataclass(frozen=True)
class PreprocessedImage:
    """The pixels that a model saw, RGB or grey, and where they lie in the upright original.

    `crop` is (x0, y0, x1, y1) in pixels of the original; it reaches beyond the picture where it was padded.
    """

    picture: Image.Image
    crop: tuple[float, float, float, float]

    @property
    def pixels(self) -> np.ndarray:
        """Pixels in [0, 1], float32, (C, H, W)."""
        values = np.asarray(self.picture, dtype=np.float32) / 255
        if values.ndim == 2:
            return np.ascontiguousarray(values[None])
        return np.ascontiguousarray(values.transpose(2, 0, 1))


def asked(own: Input, fit: Fit | None, size: tuple[int, int] | None) -> Input:
    """The input that a request asks for: the card's own, but for another (height, width) or another way to fit.

    A picture that is padded or squashed on request is seen whole; on the card's own word, its `crop_fraction` counts.
    """
    changes: dict[str, object] = {}
    if size is not None and size != own.size:
        changes["size"] = size
        if own.resize is not None:
            changes["resize"] = max(max(size), round(own.resize * min(size) / min(own.size)))
    if fit is not None and fit != own.fit:
        changes["fit"] = fit
        if fit != "crop":
            changes |= {"crop_fraction": 1.0, "resize": None}
    return own.model_copy(update=changes)


def preprocess(picture: Image.Image, card: Input) -> PreprocessedImage:
    """Bring a picture to the card's size.

    crop: the shorter side to size / crop_fraction, then the centre · pad: the longer side to it, then the mean colour
    around · squash: both sides to it, the aspect is lost. Equals torchvision's and timm's evaluation transforms.
    """
    if card.channels == 1:
        picture = picture.convert("L")
    if card.fit == "crop":
        return _crop(picture, card)
    height, width = card.size
    target_height, target_width = _target(card)
    scaled_width, scaled_height = target_width, target_height
    if card.fit == "pad":
        ratio = max(picture.width / target_width, picture.height / target_height)
        scaled_width, scaled_height = (max(1, round(side / ratio)) for side in picture.size)
    scaled = picture.resize((scaled_width, scaled_height), FILTERS[card.interpolation])
    left, top = _offset(scaled_width, width), _offset(scaled_height, height)
    seen = Image.new(picture.mode, (width, height), _mean_colour(card))
    seen.paste(scaled, (-left, -top))
    return PreprocessedImage(seen, _frame(picture, (scaled_width, scaled_height), (left, top), card))


def _crop(picture: Image.Image, card: Input) -> PreprocessedImage:
    """A picture so narrow that resizing all of it would make more than `MOST` times the crop (65500×1 would grow to
    gigabytes) is resampled from the box that the crop has in it: the same but for rounding."""
    height, width = card.size
    scaled_width, scaled_height = _scaled(picture.size, card)
    left, top = _offset(scaled_width, width), _offset(scaled_height, height)
    crop = _frame(picture, (scaled_width, scaled_height), (left, top), card)
    box = (max(crop[0], 0.0), max(crop[1], 0.0), min(crop[2], picture.width), min(crop[3], picture.height))
    kernel = FILTERS[card.interpolation]
    if scaled_width * scaled_height > MOST * width * height:
        return PreprocessedImage(picture.resize((width, height), kernel, box=box), box)
    scaled = picture.resize((scaled_width, scaled_height), kernel)
    return PreprocessedImage(scaled.crop((left, top, left + width, top + height)), box)


def _offset(scaled: int, side: int) -> int:
    """Where the crop begins, or, below 0, how far the padding reaches; rounded as the libraries round."""
    return round((scaled - side) / 2) if scaled >= side else -((side - scaled) // 2)


def _frame(
    picture: Image.Image, scaled: tuple[int, int], offset: tuple[int, int], card: Input
) -> tuple[float, float, float, float]:
    across, down = picture.width / scaled[0], picture.height / scaled[1]
    (left, top), (height, width) = offset, card.size
    return left * across, top * down, (left + width) * across, (top + height) * down


def _mean_colour(card: Input) -> tuple[int, ...] | int:
    colour = tuple(round(255 * value) for value in card.mean)
    return colour if card.channels == 3 else colour[0]


def _target(card: Input) -> tuple[int, int]:
    """(height, width) that a picture is resized towards before it is cropped."""
    if card.resize is not None:
        shorter = min(card.size)
        return tuple(math.floor(card.resize * side / shorter) for side in card.size)  # type: ignore[return-value]
    return tuple(math.floor(side / card.crop_fraction) for side in card.size)  # type: ignore[return-value]


def _scaled(size: tuple[int, int], card: Input) -> tuple[int, int]:
    """Width and height after resizing, as torchvision's and timm's evaluation transforms round them."""
    width, height = size
    target_height, target_width = _target(card)
    if target_height == target_width:  # the shorter side becomes the target, the longer keeps the aspect
        shorter = target_height
        if width <= height:
            return shorter, max(shorter, int(shorter * height / width))
        return max(shorter, int(shorter * width / height)), shorter
    scale = max(target_width / width, target_height / height)
    return max(target_width, round(width * scale)), max(target_height, round(height * scale))
