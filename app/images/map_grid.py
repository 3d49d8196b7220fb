"""The grid of maps that contact sheet, figures and notebook pages show: its rows, columns and texts. Draws nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..contract.wire import JsonObject
from .render import Scale

NO_CLASS = "no class"  # where a model was not available


@dataclass(frozen=True)
class MapCell:
    """One map, or why there is none, with its title and facts."""

    panel: str
    model: str
    method: str
    title: str  # the method's, for people
    target: int | None  # index of the class; None where the model was not available
    label: str
    against: str | None  # label of the class whose logit is subtracted
    status: str
    detail: str | None  # of the problem
    seconds: float
    diagnostics: JsonObject
    verdict: str = ""  # what its measurements say, in brief; empty where nothing was measured

    @property
    def is_done(self) -> bool:
        return self.status == "done"

    @property
    def reason(self) -> str:
        """Why there is no map."""
        return self.detail or self.status

    @property
    def score(self) -> str:
        """The class explained, as in «tiger cat − espresso»."""
        return self.label if self.against is None else f"{self.label} − {self.against}"

    @property
    def completeness(self) -> str | None:
        """How far the map's sum is from what it should be, as a share; None for methods without completeness."""
        error = (self.diagnostics.get("completeness") or {}).get("relative_error")
        return None if error is None else f"completeness {error:+.1%}"

    @property
    def facts(self) -> str:
        """What is known of the map's computation: seconds, completeness, activations and layer, where it has them."""
        facts = [f"{self.seconds:.2f} s"]
        if self.completeness is not None:
            facts.append(self.completeness)
        if "guided_activations" in self.diagnostics:
            facts.append(f"{self.diagnostics['guided_activations']} activations")
        if "layer" in self.diagnostics:
            facts.append(self.diagnostics["layer"])
        return " · ".join(facts)


@dataclass(frozen=True)
class GridRow:
    """The maps of one model for one class; each with the number of its column. What the model saw goes before them."""

    model: str
    cells: tuple[tuple[int, MapCell], ...]

    @property
    def label(self) -> str:
        return self.cells[0][1].label

    @property
    def score(self) -> str:
        return self.cells[0][1].score


@dataclass(frozen=True)
class MapGrid:
    """Rows are model × class, columns methods, both in the order in which they first come."""

    rows: tuple[GridRow, ...]
    columns: tuple[str, ...]


def map_grid(cells: Iterable[MapCell]) -> MapGrid:
    """The maps of an explanation, in its order."""
    listed = list(cells)
    columns = tuple(dict.fromkeys(cell.method for cell in listed))
    rows: dict[tuple[str, int | None], list[tuple[int, MapCell]]] = {}
    for cell in listed:
        rows.setdefault((cell.model, cell.target), []).append((columns.index(cell.method), cell))
    return MapGrid(tuple(GridRow(model, tuple(row)) for (model, _), row in rows.items()), columns)


def scale_text(scale: Scale) -> str:
    """The values at the ends of a map's palette."""
    return f"{scale.low:.2g} … {scale.high:.2g}"
