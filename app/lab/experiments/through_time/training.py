"""Training on the adding problem: the same start and the same batches, each variant with updates of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from . import ThroughTimeParameters
from .adding import batch
from .analysis import Task, squared_errors, tied_states

BATCH = 32


@dataclass(frozen=True)
class Variant:
    """How a gradient becomes an update."""

    id: str
    averaged: bool
    """Whether each sequence's loss is divided by its length."""
    rate: float
    optimiser: str


def variants(parameters: ThroughTimeParameters, mean_length: float) -> list[Variant]:
    """The sum, the mean, the mean at rate × T with the optimiser asked for, then Adam with both beside SGD."""
    rate, optimiser = parameters.rate, parameters.optimiser
    found = [
        Variant("sum", False, rate, optimiser),
        Variant("mean", True, rate, optimiser),
        Variant("mean_scaled", True, rate * mean_length, optimiser),
    ]
    if optimiser == "sgd":
        found += [Variant("adam", False, rate, "adam"), Variant("adam_mean", True, rate, "adam")]
    return found


class Trainer:
    """All variants at once, in float64: weights of shape (variants, GH, H + 3), a torch.optim optimiser for each."""

    def __init__(
        self, parameters: ThroughTimeParameters, weight: Tensor, readout: Tensor, kinds: list[Variant]
    ) -> None:
        self.parameters, self.kinds = parameters, kinds
        self.weights = [[weight.clone().requires_grad_(), readout.clone().requires_grad_()] for _ in kinds]
        rules = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
        self.optimisers = [
            rules[kind.optimiser](mine, lr=kind.rate) for kind, mine in zip(kinds, self.weights, strict=True)
        ]

    def steps(self, generator: torch.Generator) -> Iterator[list[float]]:
        """For each update, every variant's mean squared error before it."""
        asked = self.parameters
        for _ in range(asked.train_steps):
            given = batch(BATCH, asked.length, asked.mixed_lengths, generator, torch.float64)
            task = Task(asked.cell, given, asked.loss == "every", asked.truncation)
            weight, readout = (torch.stack([mine[i] for mine in self.weights]) for i in range(2))
            errors = squared_errors(task, tied_states(task, weight), readout[:, None])
            losses = errors.sum(0)
            scale = torch.stack(
                [1 / given.lengths.double() if kind.averaged else torch.ones(BATCH).double() for kind in self.kinds]
            )
            for optimiser in self.optimisers:
                optimiser.zero_grad()
            torch.autograd.backward((losses * scale).mean(1).sum())
            for mine, optimiser in zip(self.weights, self.optimisers, strict=True):
                if asked.clipping:
                    torch.nn.utils.clip_grad_norm_(mine, asked.clipping)
                optimiser.step()
            answers = given.lengths.sum() if task.every else BATCH
            yield (losses.detach().sum(1) / answers).tolist()

    def gap(self, first: str, second: str) -> float:
        """‖w_first − w_second‖ / ‖w_first‖, over all weights."""
        one, other = (
            torch.cat([part.detach().flatten() for part in self.weights[[kind.id for kind in self.kinds].index(name)]])
            for name in (first, second)
        )
        return float((one - other).norm() / one.norm())
