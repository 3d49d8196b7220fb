"""Slowly changing regression: a target of 100 threshold units, whose inputs change by one bit from task to task."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

BITS = 20
FLIPPING = 15
UNITS = 100
BETA = 0.7


@dataclass(frozen=True)
class Task:
    """Inputs (steps, seeds, BITS + 1), the last of them 1, and targets (steps, seeds)."""

    inputs: Tensor
    targets: Tensor


class Problem:
    """A problem for each seed.

    x has BITS bits and a 1. The first FLIPPING of them stay during a task; with each new task one of them, drawn at
    random, flips. The others are drawn anew at every step. y = Σ_i v_i · [w_i · x ≥ θ_i] over UNITS units, with w and
    v of −1 and 1, θ_i = (BITS + 1) · β − (how many of w_i are −1), as in arXiv:2108.06325.
    """

    def __init__(self, seeds: int, generator: torch.Generator) -> None:
        self.seeds, self.generator = seeds, generator
        self.weights = 2.0 * self._bits(seeds, UNITS, BITS + 1) - 1
        self.outputs = 2.0 * self._bits(seeds, UNITS) - 1
        self.thresholds = (BITS + 1) * BETA - (self.weights < 0).sum(2)
        self.flipping = self._bits(seeds, FLIPPING)

    def _bits(self, *shape: int) -> Tensor:
        return torch.randint(2, shape, generator=self.generator).float()

    def target(self, inputs: Tensor) -> Tensor:
        """y of inputs (steps, seeds, BITS + 1), of shape (steps, seeds)."""
        sums = torch.einsum("tsd,sud->tsu", inputs, self.weights)
        return torch.einsum("tsu,su->ts", (sums >= self.thresholds).float(), self.outputs)

    @property
    def every_input(self) -> Tensor:
        """All inputs that the task as it is can have, (2 ** (BITS - FLIPPING), seeds, BITS + 1)."""
        free = torch.tensor(list(product((0.0, 1.0), repeat=BITS - FLIPPING)))[:, None].expand(-1, self.seeds, -1)
        return self._whole(free)

    def _whole(self, free: Tensor) -> Tensor:
        """The flipping bits as they are, the others as given, and a 1."""
        steps = len(free)
        return torch.cat([self.flipping.expand(steps, -1, -1), free, torch.ones(steps, self.seeds, 1)], 2)

    def inputs(self, steps: int) -> Tensor:
        """Inputs of the task as it is."""
        return self._whole(self._bits(steps, self.seeds, BITS - FLIPPING))

    def task(self, steps: int, first: bool) -> Task:
        """The next task; all but the first flip a bit."""
        if not first:
            chosen = torch.randint(FLIPPING, (self.seeds, 1), generator=self.generator)
            self.flipping = self.flipping.scatter(1, chosen, 1 - self.flipping.gather(1, chosen))
        inputs = self.inputs(steps)
        return Task(inputs, self.target(inputs))
