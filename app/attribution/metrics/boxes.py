"""Boxes around what a picture shows, as places of a map: for metrics that ask whether the map lies there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Box(NamedTuple):
    """A rectangle in pixels of a picture: its upper left corner, width and height."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Boxes:
    """The boxes of a picture whose map is of the region `crop` in it: (x0, y0, x1, y1). `picture` is (width, height).
    All are in pixels of the upright original; `crop` reaches beyond the picture if it was padded."""

    boxes: tuple[Box, ...]
    picture: tuple[float, float]
    crop: tuple[float, float, float, float]

    def coverage(self, size: tuple[int, int]) -> Tensor:
        """How much of each place of a map of `size` (height, width) lies in a box: (H, W), float64, 0 to 1.

        The boxes' edges cut the plane into rectangles, of which each is in a box or not: with M_ij = 1 if it is, and
        the overlaps X of the rectangles' columns with the places' columns and Y of the rows, it is Yᵀ M X, divided by
        the area of a place. So boxes that overlap count once.
        """
        found = torch.zeros(size, dtype=torch.float64)
        if not self.boxes:
            return found
        x0, y0, x1, y1 = self.crop
        columns = _edges([box.x for box in self.boxes], [box.x + box.width for box in self.boxes])
        rows = _edges([box.y for box in self.boxes], [box.y + box.height for box in self.boxes])
        inside = torch.zeros(len(rows) - 1, len(columns) - 1, dtype=torch.float64)
        for box in self.boxes:
            of_row = (rows[:-1] >= box.y) & (rows[1:] <= box.y + box.height)
            of_column = (columns[:-1] >= box.x) & (columns[1:] <= box.x + box.width)
            inside[of_row[:, None] & of_column[None]] = 1
        height, width = size
        return _overlaps(rows, y0, y1, height).T @ inside @ _overlaps(columns, x0, x1, width)

    def distance(self, size: tuple[int, int]) -> Tensor:
        """How far the centre of each place of a map of `size` (height, width) is from the nearest box, in pixels of the
        picture: (H, W), float64; 0 inside, infinite if there is no box."""
        x0, y0, x1, y1 = self.crop
        height, width = size
        x = x0 + (torch.arange(width, dtype=torch.float64) + 0.5) * (x1 - x0) / width
        y = y0 + (torch.arange(height, dtype=torch.float64) + 0.5) * (y1 - y0) / height
        return self.distances(x[None], y[:, None])

    def distances(self, x: Tensor, y: Tensor) -> Tensor:
        """The distance of points of the picture from the nearest box; shapes are broadcast."""
        nearest = torch.full((x + y).shape, torch.inf, dtype=torch.float64)
        for box in self.boxes:
            beside = torch.maximum(box.x - x, x - box.x - box.width).clamp(min=0)
            below = torch.maximum(box.y - y, y - box.y - box.height).clamp(min=0)
            nearest = torch.minimum(nearest, torch.hypot(beside, below))
        return nearest


def _edges(starts: list[float], ends: list[float]) -> Tensor:
    return torch.tensor(sorted({*starts, *ends}), dtype=torch.float64)


def _overlaps(edges: Tensor, start: float, end: float, places: int) -> Tensor:
    """The share of each of `places` equal parts of [start, end] that lies between neighbouring edges:
    (edges − 1, places)."""
    borders = start + torch.arange(places + 1, dtype=torch.float64) * (end - start) / places
    common = torch.minimum(edges[1:, None], borders[None, 1:]) - torch.maximum(edges[:-1, None], borders[None, :-1])
    return common.clamp(min=0) * places / (end - start)
