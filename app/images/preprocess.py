"""Prepares a picture for a model: resized and cropped, padded or squashed as an `Input` says, on 8-bit pixels."""

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
MAX_ENLARGEMENT = 16


@dataclass(frozen=True)
class PreprocessedImage:
    """The pixels that a model sees, RGB or grey, and their region in the upright original.

    `crop` is (x0, y0, x1, y1) in pixels of the original; it reaches beyond the picture if it was padded.
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


def requested_input(spec: Input, fit: Fit | None, size: tuple[int, int] | None) -> Input:
    """A model's input specification, changed by a request's `fit` and size (height, width).

    If a request changes the fit to pad or squash, the model sees the whole picture; if `spec` itself has that fit,
    its `crop_fraction` applies.
    """
    changes: dict[str, object] = {}
    if size is not None and size != spec.size:
        changes["size"] = size
        if spec.resize is not None:
            changes["resize"] = max(max(size), round(spec.resize * min(size) / min(spec.size)))
    if fit is not None and fit != spec.fit:
        changes["fit"] = fit
        if fit != "crop":
            changes |= {"crop_fraction": 1.0, "resize": None}
    return spec.model_copy(update=changes)


def preprocess(picture: Image.Image, spec: Input) -> PreprocessedImage:
    """Bring a picture to the size of `spec`.

    crop: resize the shorter side to size / crop_fraction, then take the centre · pad: resize the longer side to it,
    then surround with the mean colour · squash: resize both sides to it, the aspect is lost. Equals torchvision's and
    timm's evaluation transforms.
    """
    if spec.channels == 1:
        picture = picture.convert("L")
    if spec.fit == "crop":
        return _crop(picture, spec)
    height, width = spec.size
    target_height, target_width = _target(spec)
    scaled_width, scaled_height = target_width, target_height
    if spec.fit == "pad":
        ratio = max(picture.width / target_width, picture.height / target_height)
        scaled_width, scaled_height = (max(1, round(side / ratio)) for side in picture.size)
    scaled = picture.resize((scaled_width, scaled_height), FILTERS[spec.interpolation])
    left, top = _offset(scaled_width, width), _offset(scaled_height, height)
    padded = Image.new(picture.mode, (width, height), _mean_colour(spec))
    padded.paste(scaled, (-left, -top))
    return PreprocessedImage(padded, _crop_in_original(picture, (scaled_width, scaled_height), (left, top), spec))


def _crop(picture: Image.Image, spec: Input) -> PreprocessedImage:
    """Resize and crop. If a picture is so narrow that the resized one would have more than `MAX_ENLARGEMENT` times the
    crop's pixels (65500×1 would grow to gigabytes), only the crop's box is resampled: the same except for rounding."""
    height, width = spec.size
    scaled_width, scaled_height = _scaled(picture.size, spec)
    left, top = _offset(scaled_width, width), _offset(scaled_height, height)
    crop = _crop_in_original(picture, (scaled_width, scaled_height), (left, top), spec)
    box = (max(crop[0], 0.0), max(crop[1], 0.0), min(crop[2], picture.width), min(crop[3], picture.height))
    kernel = FILTERS[spec.interpolation]
    if scaled_width * scaled_height > MAX_ENLARGEMENT * width * height:
        return PreprocessedImage(picture.resize((width, height), kernel, box=box), box)
    scaled = picture.resize((scaled_width, scaled_height), kernel)
    return PreprocessedImage(scaled.crop((left, top, left + width, top + height)), box)


def _offset(scaled: int, side: int) -> int:
    """Where the crop begins, or, if negative, the size of the padding; rounded as in the libraries."""
    return round((scaled - side) / 2) if scaled >= side else -((side - scaled) // 2)


def _crop_in_original(
    picture: Image.Image, scaled: tuple[int, int], offset: tuple[int, int], spec: Input
) -> tuple[float, float, float, float]:
    x_scale, y_scale = picture.width / scaled[0], picture.height / scaled[1]
    (left, top), (height, width) = offset, spec.size
    return left * x_scale, top * y_scale, (left + width) * x_scale, (top + height) * y_scale


def _mean_colour(spec: Input) -> tuple[int, ...] | int:
    colour = tuple(round(255 * value) for value in spec.mean)
    return colour if spec.channels == 3 else colour[0]


def _target(spec: Input) -> tuple[int, int]:
    """The (height, width) that a picture is resized to before it is cropped."""
    if spec.resize is not None:
        shorter = min(spec.size)
        return tuple(math.floor(spec.resize * side / shorter) for side in spec.size)  # type: ignore[return-value]
    return tuple(math.floor(side / spec.crop_fraction) for side in spec.size)  # type: ignore[return-value]


def _scaled(size: tuple[int, int], spec: Input) -> tuple[int, int]:
    """Width and height after resizing, as torchvision's and timm's evaluation transforms round them."""
    width, height = size
    target_height, target_width = _target(spec)
    if target_height == target_width:  # the shorter side becomes the target, the longer keeps the aspect
        shorter = target_height
        if width <= height:
            return shorter, max(shorter, int(shorter * height / width))
        return max(shorter, int(shorter * width / height)), shorter
    scale = max(target_width / width, target_height / height)
    return max(target_width, round(width * scale)), max(target_height, round(height * scale))
