"""What a notebook shows of an explanation: small pictures with captions, as data URLs: no other file is loaded."""

from __future__ import annotations

import base64
from html import escape

from PIL import Image

from ..images.map_grid import map_grid, scale_text
from ..images.palettes import MAGNITUDE_PALETTE
from ..images.render import PERCENTILE, draw, scale_of
from ..pipeline.archive import png
from .drawable import Explanation, Panel

PALETTE = MAGNITUDE_PALETTE
SIDE = 176  # pixels of the longer side
ROW = "display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start"
CELL = f"margin:0;width:{SIDE}px;font-size:12px;line-height:1.35;overflow-wrap:anywhere"
IMAGE = "display:block;margin:0 0 4px;max-width:none;image-rendering:pixelated"


def explanation_html(explanation: Explanation) -> str:
    """What each model saw, its predictions, and its maps with method, class, completeness and the scale's ends."""
    rows, panels = [], {panel.id: panel for panel in explanation}
    for row in map_grid(panel.cell for panel in explanation).rows:
        cells = [_input(explanation, row.model), *(_panel(panels[cell.panel]) for _, cell in row.cells)]
        rows.append(f'<div style="{ROW}">{"".join(cells)}</div>')
    summary = f"{explanation.score} · seed {explanation.seed} · {explanation.seconds:.1f} s"
    if explanation.status != "done":
        summary += f" · {explanation.status}"
    if explanation.url is not None:
        address = escape(explanation.url)
        link = f' · <a href="{address}" target="_blank" rel="noopener">{address}</a>'
    else:
        link = ""
    foot = f"score: {escape(summary)} · Σ|·|, {PERCENTILE:g}th percentile{link}"
    return f'<div>{"".join(rows)}<div style="font-size:11px;margin-top:8px">{foot}</div></div>'


def panel_png(panel: Panel) -> bytes:
    """A map coloured, each value a square of its own where it is small."""
    image = draw(panel.reduce("abs"), PALETTE, signed=False)
    factor = max(1, SIDE // max(image.size))
    return png(image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST))


def _input(explanation: Explanation, model: str) -> str:
    seen = next((seen for seen in explanation.inputs if seen.model == model), None)
    if seen is None:
        return _cell("", [f"<b>{escape(model)}</b>"])
    lines = [f"<b>{escape(model)}</b>"]
    lines += [f"{escape(best.label)} {best.probability:.2f}" for best in seen.predictions[:3]]
    return _cell(_image(explanation.seen(model), f"What {model} saw"), lines)


def _panel(panel: Panel) -> str:
    cell = panel.cell
    lines = [f"<b>{escape(cell.title)}</b>", escape(cell.label)]
    if cell.against is not None:
        lines.append(f"against {escape(cell.against)}")
    if not cell.is_done:
        return _cell("", [*lines, escape(cell.reason)])
    values = panel.reduce("abs")
    lines.append(scale_text(scale_of(values, PALETTE, signed=False)))
    if cell.completeness is not None:
        lines.append(cell.completeness)
    return _cell(_image(draw(values, PALETTE, signed=False), panel.title), lines)


def _cell(image: str, lines: list[str]) -> str:
    return f'<figure style="{CELL}">{image}<figcaption>{"<br>".join(lines)}</figcaption></figure>'


def _image(image: Image.Image, text: str) -> str:
    """A picture inside the page, at most `SIDE` on a side."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    factor = SIDE / max(small.size)
    width, height = (max(1, round(side * factor)) for side in small.size)
    data = base64.b64encode(png(small)).decode()
    return (
        f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" alt="{escape(text)}" '
        f'style="{IMAGE}">'
    )
