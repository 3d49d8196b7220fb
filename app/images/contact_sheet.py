"""A contact sheet: all panels of an explanation on one picture, with captions and scales."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..contract.arrays import reduce_channels
from ..contract.metrics import brief_verdict
from ..contract.records import Explanation
from .map_grid import NO_CLASS, MapCell, map_grid, scale_text
from .palettes import MAGNITUDE_PALETTE, palettes
from .render import Scale, colourise, scale_of

CELL, GAP, LEFT, CAPTION, HEADER = 224, 16, 24, 62, 58
VERDICT = 18  # the height of its line, where anything was measured
INK, FAINT, GROUND = (24, 26, 30), (96, 100, 108), (255, 255, 255)
PALETTE = MAGNITUDE_PALETTE


def contact_sheet(
    record: Explanation,
    titles: dict[str, str],
    array: Callable[[str], np.ndarray | None],
    seen: Callable[[str], Image.Image],
) -> Image.Image:
    """Rows are model × target, columns methods; first in a row stands what the model saw.

    `array` gives a panel's values by its id, `seen` the pixels by model. Maps show the sum of |·| over channels,
    clipped at the 99th percentile, each with the scale it is drawn on. Where maps were measured, their captions say in
    brief what that found.
    """
    cells = list(_cells(record, titles))
    grid, models_with_input = map_grid(cells), {seen.model for seen in record.inputs}
    caption = CAPTION + (VERDICT if any(cell.verdict for cell in cells) else 0)
    width = 2 * LEFT + (len(grid.columns) + 1) * (CELL + GAP) - GAP
    sheet = Image.new("RGB", (width, HEADER + len(grid.rows) * (CELL + caption + GAP)), GROUND)
    pen = _Pen(sheet)
    pen.text(LEFT, 20, f"Gradoscope {record.versions['gradoscope']}", 18, INK)
    pen.text(LEFT + 180, 24, f"score {record.score} · seed {record.seed} · sum of |·|, 99th percentile", 13, FAINT)
    for number, row in enumerate(grid.rows):
        top = HEADER + number * (CELL + caption + GAP)
        if row.model in models_with_input:
            sheet.paste(_fit(seen(row.model)), (LEFT, top))
        else:
            pen.box(LEFT, top)
        pen.caption(LEFT, top, row.label, row.model)
        for column, cell in row.cells:
            _map(pen, LEFT + (column + 1) * (CELL + GAP), top, cell, array(cell.panel))
    return sheet


def _cells(record: Explanation, titles: dict[str, str]) -> Iterator[MapCell]:
    """The maps of a record."""
    for panel in record.panels:
        yield MapCell(
            panel.id, panel.model, panel.method, panel.title(titles),
            panel.target.index if panel.target else None, panel.target.label if panel.target else NO_CLASS, None,
            panel.status, panel.problem.detail if panel.problem else None, panel.seconds, panel.diagnostics,
            brief_verdict(panel.metrics),
        )  # fmt: skip


def _map(pen: _Pen, left: int, top: int, cell: MapCell, values: np.ndarray | None) -> None:
    if values is None:
        pen.box(left, top)
        pen.paragraph(left + 12, top + 12, cell.reason)
        pen.caption(left, top, cell.title, cell.status)
        return
    summed = reduce_channels(values, "abs")
    scale = scale_of(summed, PALETTE, signed=False)
    pen.sheet.paste(_fit(Image.fromarray(colourise(summed, PALETTE, scale))), (left, top))
    pen.caption(left, top, cell.title, cell.facts)
    pen.bar(left, top + CELL + 44, scale)
    if cell.verdict:
        pen.text(left, top + CELL + 60, f"Trust: {cell.verdict}", 12, INK)


def _fit(picture: Image.Image) -> Image.Image:
    """Into a cell without changing the aspect."""
    fitted = Image.new("RGB", (CELL, CELL), GROUND)
    factor = CELL / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    scaled = picture.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    fitted.paste(scaled, ((CELL - scaled.width) // 2, (CELL - scaled.height) // 2))
    return fitted


class _Pen:
    """Text and lines on the sheet."""

    def __init__(self, sheet: Image.Image) -> None:
        self.sheet, self._draw = sheet, ImageDraw.Draw(sheet)

    def text(self, x: float, y: float, text: str, size: int, colour: tuple[int, int, int]) -> None:
        self._draw.text((x, y), text, fill=colour, font=ImageFont.load_default(size))

    def caption(self, left: int, top: int, title: str, facts: str) -> None:
        self.text(left, top + CELL + 6, self._cut(title, 15), 15, INK)
        self.text(left, top + CELL + 26, self._cut(facts, 12), 12, FAINT)

    def box(self, left: int, top: int) -> None:
        self._draw.rectangle((left, top, left + CELL - 1, top + CELL - 1), outline=FAINT)

    def paragraph(self, left: int, top: int, text: str) -> None:
        lines: list[str] = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            lines = [*lines[:-1], longer] if self._width(longer, 12) <= CELL - 24 else [*lines, word]
        for number, line in enumerate(lines[:12]):
            self.text(left, top + 16 * number, line, 12, FAINT)

    def bar(self, left: int, top: int, scale: Scale) -> None:
        ramp = Image.fromarray(palettes()[PALETTE][None, :, :]).resize((96, 8))
        self.sheet.paste(ramp, (left, top + 3))
        self.text(left + 102, top - 1, scale_text(scale), 12, FAINT)

    def _cut(self, text: str, size: int) -> str:
        if self._width(text, size) <= CELL:
            return text
        while text and self._width(f"{text}…", size) > CELL:
            text = text[:-1]
        return f"{text}…"

    def _width(self, text: str, size: int) -> float:
        return self._draw.textlength(text, font=ImageFont.load_default(size))
