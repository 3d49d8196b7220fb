"""Reads the boxes of pictures from a CSV file: picture, x, y, width, height."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..attribution.metrics.boxes import Box
from ..contract.problems import Unprocessable

COLUMNS = ("picture", *Box._fields)
MAX_NAMED = 5  # pictures that are not there, which are listed


@dataclass(frozen=True)
class PictureBoxes:
    """The boxes of each picture that has some, by the picture's name; and names in the file that no picture has."""

    by_picture: Mapping[str, tuple[Box, ...]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def left_out(self) -> str:
        """Which names of the file are those of no picture, in a sentence; empty if there are none."""
        if not self.unknown:
            return ""
        more = f" and {len(self.unknown) - MAX_NAMED} more" if len(self.unknown) > MAX_NAMED else ""
        return f"Boxes of pictures that are not here: {', '.join(self.unknown[:MAX_NAMED])}{more}."


def read_boxes(file: Path, pictures: Iterable[str]) -> PictureBoxes:
    """The boxes in a file, of these pictures: each is named by its path in their folder, or by its file name if only
    one picture has it. The columns may have any order; others are passed over.

    Raises `Unprocessable` if the file cannot be read, a column is missing, a row is faulty, or there is no box of any
    of the pictures.
    """
    known = list(pictures)
    by_file_name: dict[str, list[str]] = {}
    for name in known:
        by_file_name.setdefault(Path(name).name, []).append(name)
    found: dict[str, list[Box]] = {}
    unknown: dict[str, None] = {}
    names = set(known)
    for wanted, box in _rows(file):
        same = [wanted] if wanted in names else by_file_name.get(wanted, []) if "/" not in wanted else []
        if len(same) > 1:
            raise _fault(file, f"{len(same)} pictures are called {wanted}: {', '.join(same[:MAX_NAMED])}. Name one by "
                         "its path in the folder")  # fmt: skip
        if same:
            found.setdefault(same[0], []).append(box)
        else:
            unknown[wanted] = None
    if not found:
        listed = ", ".join(list(unknown)[:MAX_NAMED])
        raise _fault(file, f"there is no box of any of the {len(known)} pictures, which are called as {known[0]}"
                     + (f"; its boxes are of {listed}" if listed else ""))  # fmt: skip
    return PictureBoxes({name: tuple(boxes) for name, boxes in found.items()}, tuple(unknown))


def _rows(file: Path) -> Iterable[tuple[str, Box]]:
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise _fault(file, f"it cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise _fault(file, "it is no text in UTF-8") from error
    lines = csv.reader(text.splitlines(), strict=True)
    try:
        header = [name.strip().lower() for name in next(lines, [])]
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise _fault(file, f"its first line has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
        places = [header.index(name) for name in COLUMNS]
        for cells in lines:
            if any(cell.strip() for cell in cells):
                yield _row(file, lines.line_num, [cells[place].strip() for place in places if place < len(cells)])
    except csv.Error as error:
        raise _fault(file, f"line {lines.line_num} is no CSV ({error})") from error


def _row(file: Path, line: int, cells: list[str]) -> tuple[str, Box]:
    if len(cells) < len(COLUMNS) or not cells[0]:
        raise _fault(file, f"line {line} needs {', '.join(COLUMNS)}")
    try:
        box = Box(*map(float, cells[1:]))
    except ValueError as error:
        raise _fault(file, f"line {line}: {', '.join(cells[1:])[:80]} are not four numbers") from error
    if not all(map(math.isfinite, box)) or box.x < 0 or box.y < 0 or box.width <= 0 or box.height <= 0:
        raise _fault(file, f"line {line}: a box has x and y of 0 or more, and a width and a height above 0")
    return cells[0].replace("\\", "/").removeprefix("./"), box


def _fault(file: Path, detail: str) -> Unprocessable:
    return Unprocessable(f"boxes: {file.name}: {detail}.", field="boxes")
