"""What the page shows of a figure of grids."""

from __future__ import annotations

from gradoscope.contract.experiments import GridsData


def shown_after(data: GridsData, name: str, step: int) -> list[list[float]]:
    """The sums that the steps up to this one, it included, have added to a grid."""
    (grid,) = (grid for group in data.groups for grid in group.grids if grid.id == name)
    assert grid.sums
    shown = [[0.0] * len(row) for row in grid.values]
    for cells in (cells for one in data.steps[: step + 1] for cells in one.cells if cells.grid == name):
        for row, added in zip(cells.rows, cells.added, strict=True):
            for column, value in zip(cells.columns, added, strict=True):
                shown[row][column] += value
    return shown
