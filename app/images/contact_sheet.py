"""A contact sheet: all panels of an explanation on one picture, with captions and scales."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..contract.arrays import reduce_channels
from ..contract.records import Explanation, PanelBody
from .palettes import palettes
from .render import Scale, colourise, scale_of

CELL, GAP, LEFT, CAPTION, HEADER = 224, 16, 24, 62, 58
INK, FAINT, GROUND = (24, 26, 30), (96, 100, 108), (255, 255, 255)
PALETTE = "inferno"
NO_CLASS = "no class"  # where a model could not be had


def contact_sheet(
    record: Explanation,
    titles: dict[str, str],
    array: Callable[[str], np.ndarray | None],
    seen: Callable[[str], Image.Image],
) -> Image.Image:
    """Rows are model × target, columns methods; first in a row stands what the model saw.

    `array` gives a panel's values by its id, `seen` the pixels by model. Maps show the sum of |·| over channels,
    clipped at the 99th percentile, each with the scale it is drawn on.
    """
    rows, looked = _rows(record), {seen.model for seen in record.inputs}
    columns = list(dict.fromkeys(panel.method for panel in record.panels))
    width = 2 * LEFT + (len(columns) + 1) * (CELL + GAP) - GAP
    sheet = Image.new("RGB", (width, HEADER + len(rows) * (CELL + CAPTION + GAP)), GROUND)
    pen = _Pen(sheet)
    pen.text(LEFT, 20, f"Gradoscope {record.versions['gradoscope']}", 18, INK)
    pen.text(LEFT + 180, 24, f"score {record.score} · seed {record.seed} · sum of |·|, 99th percentile", 13, FAINT)
    for number, (model, target, panels) in enumerate(rows):
        top = HEADER + number * (CELL + CAPTION + GAP)
        if model in looked:
            sheet.paste(_fit(seen(model)), (LEFT, top))
        else:
            pen.box(LEFT, top)
        pen.caption(LEFT, top, target, model)
        for panel in panels:
            left = LEFT + (columns.index(panel.method) + 1) * (CELL + GAP)
            _panel(pen, left, top, panel, titles, array(panel.id))
    return sheet


def _rows(record: Explanation) -> list[tuple[str, str, list[PanelBody]]]:
    rows: dict[tuple[str, int | None], list[PanelBody]] = {}
    for panel in record.panels:
        rows.setdefault((panel.model, panel.target.index if panel.target else None), []).append(panel)
    return [
        (model, panels[0].target.label if panels[0].target else NO_CLASS, panels) for (model, _), panels in rows.items()
    ]


def _panel(pen: _Pen, left: int, top: int, panel: PanelBody, titles: dict[str, str], values: np.ndarray | None) -> None:
    title = titles.get(panel.method, panel.method)
    if values is None:
        pen.box(left, top)
        pen.paragraph(left + 12, top + 12, panel.problem.detail if panel.problem else panel.status)
        pen.caption(left, top, title, panel.status)
        return
    summed = reduce_channels(values, "abs")
    scale = scale_of(summed, PALETTE)
    pen.sheet.paste(_fit(Image.fromarray(colourise(summed, PALETTE, scale))), (left, top))
    pen.caption(left, top, title, _facts(panel))
    pen.bar(left, top + CELL + 44, scale)


def _facts(panel: PanelBody) -> str:
    facts, told = [f"{panel.seconds:.2f} s"], panel.diagnostics
    error = (told.get("completeness") or {}).get("relative_error")
    if error is not None:
        facts.append(f"completeness {error:+.1%}")
    if "guided_activations" in told:
        facts.append(f"{told['guided_activations']} activations")
    if "layer" in told:
        facts.append(told["layer"])
    return " · ".join(facts)


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
        self.text(left + 102, top - 1, f"{scale.low:.2g} … {scale.high:.2g}", 12, FAINT)

    def _cut(self, text: str, size: int) -> str:
        if self._width(text, size) <= CELL:
            return text
        while text and self._width(f"{text}…", size) > CELL:
            text = text[:-1]
        return f"{text}…"

    def _width(self, text: str, size: int) -> float:
        return self._draw.textlength(text, font=ImageFont.load_default(size))
