"""Surfaces of two variables, where a descent starts on each, and where it should end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from . import OptimisersParameters

REDDI = 3.0
"""C of Reddi's example: of three losses on [−1, 1] the first is C·x, the others are −x. Their mean is (C − 2)/3·x."""

Height = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Place:
    """A surface: its height, its own start, its lowest points, what of it is drawn, (x from, to, y from, to)."""

    height: Height
    start: tuple[float, float]
    minima: tuple[tuple[float, float], ...]
    drawn: tuple[float, float, float, float]


def place(parameters: OptimisersParameters) -> Place:
    """The surface asked for."""
    if parameters.surface == "bowl":
        condition = parameters.condition
        return Place(lambda x, y: (x**2 + condition * y**2) / 2, (-4.0, 1.5), ((0, 0),), (-5, 5, -3, 3))
    return PLACES[parameters.surface]


def _beale(x: Tensor, y: Tensor) -> Tensor:
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def _rastrigin(x: Tensor, y: Tensor) -> Tensor:
    return 20 + x**2 + y**2 - 10 * torch.cos(2 * math.pi * x) - 10 * torch.cos(2 * math.pi * y)


PLACES: dict[str, Place] = {
    "rosenbrock": Place(lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, (-1.2, 1.0), ((1, 1),), (-2, 2, -1, 3)),
    "beale": Place(_beale, (1.0, 1.5), ((3, 0.5),), (-1, 4, -2, 2)),
    "himmelblau": Place(
        lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
        (0.0, 0.0),
        ((3, 2), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848126)),
        (-5, 5, -5, 5),
    ),
    "saddle": Place(lambda x, y: (x**2 - y**2) / 2 + y**4 / 4, (-1.5, 0.01), ((0, 1), (0, -1)), (-2, 2, -2, 2)),
    "rastrigin": Place(_rastrigin, (2.3, -1.7), ((0, 0),), (-4, 4, -4, 4)),
    "plateau": Place(lambda x, y: 1 - torch.exp(-(x**2 + y**2) / 2), (-3.0, 2.0), ((0, 0),), (-4, 4, -4, 4)),
    "reddi": Place(lambda x, y: (REDDI - 2) / 3 * x + 0 * y, (0.0, 0.0), ((-1, 0),), (-1, 1, -1, 1)),
}


def gradients(parameters: OptimisersParameters, points: Tensor, step: int) -> Tensor:
    """∂f/∂(x, y) at points (N, 2), by autograd. Reddi's losses take turns: C, −1, −1."""
    if parameters.surface == "reddi":
        return torch.tensor([REDDI if step % 3 == 0 else -1.0, 0.0], dtype=torch.float64).expand_as(points)
    leaf = points.detach().clone().requires_grad_()
    heights = place(parameters).height(leaf[:, 0], leaf[:, 1])
    (found,) = torch.autograd.grad(heights.sum(), leaf)
    return found


def heights(parameters: OptimisersParameters, points: Tensor) -> Tensor:
    """f at points (…, 2)."""
    return place(parameters).height(points[..., 0], points[..., 1])
