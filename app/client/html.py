"""What a notebook shows of an explanation: small pictures inside the page, with what they are. Loads nothing."""

from __future__ import annotations

import base64
from html import escape

from PIL import Image

from ..images.render import draw, scale_of
from ..pipeline.archive import png
from .drawable import Explanation, Panel

PALETTE, PERCENTILE = "inferno", 99.0
SIDE = 176  # pixels of the longer side
ROW = "display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start"
CELL = f"margin:0;width:{SIDE}px;font-size:12px;line-height:1.35;overflow-wrap:anywhere"
IMAGE = "display:block;margin:0 0 4px;max-width:none;image-rendering:pixelated"


def explanation_html(explanation: Explanation) -> str:
    """What each model saw and believes, and its maps with method, class, completeness and the scale's ends."""
    rows = []
    for model in dict.fromkeys(panel.model for panel in explanation):
        cells = [_input(explanation, model), *(_panel(panel) for panel in explanation if panel.model == model)]
        rows.append(f'<div style="{ROW}">{"".join(cells)}</div>')
    told = f"{explanation.score} · seed {explanation.seed} · {explanation.seconds:.1f} s"
    if explanation.status != "done":
        told += f" · {explanation.status}"
    if explanation.url is not None:
        address = escape(explanation.url)
        link = f' · <a href="{address}" target="_blank" rel="noopener">{address}</a>'
    else:
        link = ""
    foot = f"score: {escape(told)} · Σ|·|, {PERCENTILE:g}th percentile{link}"
    return f'<div>{"".join(rows)}<div style="font-size:11px;margin-top:8px">{foot}</div></div>'


def panel_png(panel: Panel) -> bytes:
    """A map coloured, each value a square of its own where it is small."""
    image = draw(panel.reduce("abs"), PALETTE, PERCENTILE, None, 0.0)
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
    lines = [f"<b>{escape(panel.title)}</b>", escape(panel.target.label if panel.target else "no class")]
    if panel.against is not None:
        lines.append(f"against {escape(panel.against.label)}")
    if panel.status != "done":
        return _cell("", [*lines, escape(panel.problem.detail if panel.problem else panel.status)])
    values = panel.reduce("abs")
    scale = scale_of(values, PALETTE, PERCENTILE)
    lines.append(f"{scale.low:.2g} … {scale.high:.2g}")
    if panel.completeness_error is not None:
        lines.append(f"completeness {panel.completeness_error:+.1%}")
    return _cell(_image(draw(values, PALETTE, PERCENTILE, None, 0.0), panel.title), lines)


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
