"""Texts of forms, command lines and calls that stand for values: read the same everywhere."""

from __future__ import annotations

import re

from .problems import Unprocessable

SIDES = range(32, 1025)  # of a picture that a model is shown, in pixels


def parse_size(text: str | None) -> tuple[int, int] | None:
    """`"320"` → (320, 320), `"240x320"` → (240, 320). Raises `Unprocessable`."""
    if text is None:
        return None
    given = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", text.strip())
    if given is None:
        raise Unprocessable(
            f"size: «{text[:40]}» is no size. Write a side in pixels, e.g. 320, or height x width, e.g. 240x320.",
            field="size",
        )
    sides = [int(side) for side in given.groups() if side]
    if not all(side in SIDES for side in sides):
        raise Unprocessable(
            f"size: {text} is out of bounds. A side is {SIDES.start} … {SIDES.stop - 1} pixels.", field="size"
        )
    return sides[0], sides[-1]
