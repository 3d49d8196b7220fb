"""Grids of numbers as parameters: rows of equal length, typed and dragged on the page."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

MAX_SIDE = 16
"""Rows and columns of the largest grid."""

Cell = Annotated[float, Field(ge=-10_000, le=10_000)]


def rows_of(given: Any) -> Any:
    """A plain list of numbers is a grid of one row."""
    flat = isinstance(given, list) and given and all(isinstance(one, int | float) for one in given)
    return [given] if flat else given


def rectangular(grid: list[list[float]]) -> list[list[float]]:
    lengths = sorted({len(row) for row in grid})
    if len(lengths) > 1:
        raise ValueError(f"all rows must have as many numbers; there are rows of {lengths[0]} and of {lengths[-1]}")
    return grid


InputGrid = Annotated[
    list[Annotated[list[Cell], Field(min_length=1, max_length=MAX_SIDE)]],
    Field(min_length=1, max_length=MAX_SIDE),
    BeforeValidator(rows_of),
    AfterValidator(rectangular),
]
"""Rows of numbers, 1 × 1 to 16 × 16. One row may come as a plain list."""

UpstreamGrid = Annotated[
    list[Annotated[list[Cell], Field(min_length=1)]], BeforeValidator(rows_of), AfterValidator(rectangular)
]
"""What arrives at each number of an output; empty: ones."""


def size(grid: list[list[float]]) -> tuple[int, int]:
    """Rows and columns."""
    return len(grid), len(grid[0])


def check_upstream(upstream: list[list[float]], rows: int, columns: int) -> list[list[float]]:
    """Raises `ValueError` unless it is empty or has a number for each of the output."""
    if upstream and size(upstream) != (rows, columns):
        given = " × ".join(map(str, size(upstream)))
        raise ValueError(f"the output has {rows} × {columns} numbers, got {given}; leave it out for ones")
    return upstream
