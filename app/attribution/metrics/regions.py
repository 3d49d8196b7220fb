"""Regions that a map is measured against: a box, or a mask by its run lengths."""

from __future__ import annotations

import re

import torch
from pydantic import Field, field_validator
from torch import Tensor

from ..errors import Refused
from ..methods.base import Parameters

MAX_TEXT = 100_000  # characters of a mask
NUMBER = re.compile(r"-?\d{1,7}(?:\.\d{1,9})?")
RUN = re.compile(r"\d{1,9}")


class RegionParameters(Parameters):
    box: str = Field(
        "",
        title="Box",
        max_length=120,
        description="Left, top, right and bottom in pixels of the model's input, as in 40,32,120,160; on the page, the "
        "box that is drawn",
    )
    mask: str = Field(
        "",
        title="Mask",
        max_length=MAX_TEXT,
        description="Instead of a box: run lengths of a mask of the input's size, outside first, column by column, as "
        "in COCO's counts; on the page, the mask that is painted",
    )

    @field_validator("box")
    @classmethod
    def _box(cls, text: str) -> str:
        if text.strip():
            box_of(text)
        return text

    @field_validator("mask")
    @classmethod
    def _mask(cls, text: str) -> str:
        if not all(RUN.fullmatch(run) for run in _parts(text)):
            raise ValueError("a mask is run lengths, whole numbers with spaces between: 120 8 216 8 …")
        return text


def box_of(text: str) -> tuple[float, float, float, float]:
    """`"40,32,120,160"` → left, top, right, bottom. Raises `ValueError`."""
    parts = _parts(text)
    if len(parts) != 4 or not all(NUMBER.fullmatch(part) for part in parts):
        raise ValueError("a box is four numbers, left, top, right and bottom: 40,32,120,160")
    left, top, right, bottom = map(float, parts)
    if right <= left or bottom <= top:
        raise ValueError("a box is left, top, right, bottom: right is more than left, and bottom more than top")
    return left, top, right, bottom


def region(parameters: RegionParameters, size: tuple[int, int]) -> Tensor | None:
    """The places within the region, (H, W) of bool; None where neither box nor mask is named.

    A pixel is within a box if its centre is. Raises `Refused` where both are named, the mask is of another size, or
    nothing or everything lies within.
    """
    box, mask = parameters.box.strip(), parameters.mask.strip()
    if not box and not mask:
        return None
    if box and mask:
        raise Refused("A box and a mask are named. Name one of them.")
    inside = _of_box(box_of(box), size) if box else _of_mask(mask, size)
    if not bool(inside.any()) or bool(inside.all()):
        how = "all" if bool(inside.all()) else "none"
        raise Refused(
            f"The region holds {how} of the {size[1]} × {size[0]} pixels (width × height) of the model's input, so "
            "there is nothing to compare. Name a smaller one, in pixels of that input."
        )
    return inside


def _of_box(box: tuple[float, float, float, float], size: tuple[int, int]) -> Tensor:
    left, top, right, bottom = box
    rows, columns = (torch.arange(side) + 0.5 for side in size)
    return ((rows >= top) & (rows < bottom))[:, None] & ((columns >= left) & (columns < right))[None]


def _of_mask(text: str, size: tuple[int, int]) -> Tensor:
    runs = torch.tensor([int(run) for run in _parts(text)])
    height, width = size
    if int(runs.sum()) != height * width:
        raise Refused(
            f"The mask's runs sum to {int(runs.sum())} places, and the model's input has {width} × {height} (width × "
            f"height), {height * width}. Scale the mask to that size."
        )
    values = torch.arange(len(runs)) % 2 == 1
    return values.repeat_interleave(runs).view(width, height).T


def _parts(text: str) -> list[str]:
    return text.replace(",", " ").split()
