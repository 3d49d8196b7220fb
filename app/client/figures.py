"""Maps as matplotlib figures, in the product's own palettes and by its own clipping."""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from typing import Any

try:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.figure import Figure
except ImportError as error:
    raise ImportError("Figures are drawn by matplotlib: pip install 'gradoscope[notebook]'.") from error

from ..contract.arrays import Reduction
from ..contract.problems import Unprocessable
from ..images.map_grid import map_grid
from ..images.palettes import MAGNITUDE_PALETTE, SIGNED_PALETTE, palettes
from ..images.render import PERCENTILE, colourise, is_signed, scale_of
from .drawable import Explanation, Panel

CELL = 2.6  # inches of a map's side
TICKS = 5


@dataclass(frozen=True)
class Appearance:
    """How maps are read: `reduce` of the channels; `palette`, by its name, the one that suits where none is named;
    |values| beyond their `percentile` take the palette's last colour."""

    reduce: Reduction = "abs"
    palette: str | None = None
    percentile: float = PERCENTILE

    def __post_init__(self) -> None:
        if self.palette is not None and self.palette not in palettes():
            raise Unprocessable(
                f"palette: there is no «{self.palette}». There are: {', '.join(palettes())}.", field="palette"
            )

    @property
    def colours(self) -> str:
        return self.palette or (SIGNED_PALETTE if is_signed(self.reduce) else MAGNITUDE_PALETTE)


class NotebookFigure(Figure):
    """A figure that a notebook shows also where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", bbox_inches="tight", dpi=100)
        return out.getvalue()


def of_panel(panel: Panel, reading: Appearance) -> Figure:
    """One map, with its bar."""
    figure = NotebookFigure(figsize=(CELL * 1.9, CELL * 1.6), layout="constrained")
    _draw(figure.add_subplot(), panel, reading)
    return figure


def of_explanation(explanation: Explanation, reading: Appearance) -> Figure:
    """Rows are model × class, the first column what the model saw, the others methods. `score` of a row and of a cell
    is a text: the class explained, as in «tiger cat − espresso»."""
    grid = map_grid(panel.cell for panel in explanation)
    panels = {panel.id: panel for panel in explanation}
    width, height = len(grid.columns) + 1, max(1, len(grid.rows))
    figure = NotebookFigure(figsize=(CELL * 1.25 * width, CELL * 1.2 * height), layout="constrained")
    places: Any = figure.subplots(height, width, squeeze=False)
    for axes in places.flat:
        axes.axis("off")
    models_with_input = {seen.model for seen in explanation.inputs}
    for row_axes, row in zip(places, grid.rows, strict=False):
        if row.model in models_with_input:
            picture = explanation.seen(row.model)
            row_axes[0].imshow(picture, cmap="gray" if picture.mode == "L" else None)
        row_axes[0].set_title(f"{row.model}\n{row.score}", fontsize=9, parse_math=False)
        for column, cell in row.cells:
            _draw(row_axes[1 + column], panels[cell.panel], reading)
    return figure


def _draw(axes: Axes, panel: Panel, reading: Appearance) -> None:
    axes.axis("off")
    cell = panel.cell
    subtitle = " · ".join(filter(None, (cell.score, cell.completeness)))
    axes.set_title(f"{cell.title}\n{subtitle}", fontsize=9, parse_math=False)
    if not cell.is_done:
        axes.text(0.5, 0.5, textwrap.fill(cell.reason, 28), ha="center", va="center", fontsize=7, parse_math=False)
        return
    values = panel.reduce(reading.reduce)
    scale = scale_of(values, reading.colours, reading.percentile, signed=is_signed(reading.reduce))
    axes.imshow(colourise(values, reading.colours, scale), interpolation="nearest")
    colours = ListedColormap(palettes()[reading.colours] / 255)
    if scale.high > scale.low:
        ticks = [scale.low + (scale.high - scale.low) * number / (TICKS - 1) for number in range(TICKS)]
        norm = Normalize(scale.low, scale.high)
    else:  # a map of zeros
        ticks, norm = [0.0], Normalize(-1.0 if scale.symmetric else 0.0, 1.0)
    assert axes.figure is not None
    bar = axes.figure.colorbar(ScalarMappable(norm, colours), ax=axes, ticks=ticks, fraction=0.046, pad=0.03)
    bar.ax.set_yticklabels([f"{tick:.2g}" for tick in ticks], fontsize=7)
