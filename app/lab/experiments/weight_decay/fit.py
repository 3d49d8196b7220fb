"""A linear regression with few samples, fitted with every kind of decay, every λ and every seed at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from . import WeightDecayParameters
from .descent import descend

WEIGHTS, USED, SAMPLES, HELD, BATCH, SEEDS = 20, 5, 40, 500, 10, 10
NOISE = 1.5
DECAYS = [0.0, *(10 ** (power / 4) for power in range(-12, 5))]
"""None, then λ from 1e-3 to 10, four to a power of ten."""


@dataclass(frozen=True)
class Task:
    """x (seeds, samples, weights) and y (seeds, samples) to fit, and others that are held out."""

    x: Tensor
    y: Tensor
    held_x: Tensor
    held_y: Tensor
    true: Tensor


def task(generator: torch.Generator) -> Task:
    """y = x·w + noise; five true weights of ±1, the others 0. The inputs' sizes go from ½ to 2, turn by turn."""
    sizes = 2.0 ** (torch.arange(WEIGHTS, dtype=torch.float64) % 5 / 2 - 1)
    true = torch.zeros(WEIGHTS, dtype=torch.float64)
    true[:USED] = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0], dtype=torch.float64)

    def draw(number: int) -> tuple[Tensor, Tensor]:
        x = sizes * torch.randn(SEEDS, number, WEIGHTS, generator=generator, dtype=torch.float64)
        return x, x @ true + NOISE * torch.randn(SEEDS, number, generator=generator, dtype=torch.float64)

    return Task(*draw(SAMPLES), *draw(HELD), true)


def fits(parameters: WeightDecayParameters, data: Task, generator: torch.Generator) -> Iterator[Tensor]:
    """Weights (kinds, seeds, decays, weights) after each step, from 0, on batches of ten that are the same for all."""
    start = torch.zeros(SEEDS, len(DECAYS), WEIGHTS, dtype=torch.float64)
    decays = torch.tensor(DECAYS, dtype=torch.float64)[:, None]

    def gradient(weights: Tensor, step: int) -> Tensor:
        chosen = torch.randint(SAMPLES, (SEEDS, BATCH), generator=generator)
        x = data.x.gather(1, chosen[..., None].expand(-1, -1, WEIGHTS))
        left = weights @ x.mT - data.y.gather(1, chosen)[:, None]
        return left @ x / BATCH

    return descend(parameters, start, decays, gradient)


def errors(weights: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of weights (…, seeds, decays, weights): (…, seeds, decays)."""
    return ((weights @ x.mT - y[:, None]) ** 2).mean(-1)
