"""The adding problem: of T numbers two are marked, and their sum is the answer (Hochreiter and Schmidhuber 1997)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CONSTANT_MSE = 1 / 6
"""Mean squared error of always answering 1: the variance of a sum of two numbers uniform in [0, 1], 2 · 1/12."""


@dataclass(frozen=True)
class Batch:
    """Sequences that all end at step T; shorter ones start later."""

    x: Tensor
    """(T, B, 3): the number, its mark, 1; zeros before a sequence starts."""
    targets: Tensor
    """(T, B): the sum of the marked numbers so far."""
    lengths: Tensor
    """(B,)"""

    @property
    def present(self) -> Tensor:
        """(T, B, 1): 1 where a sequence has started."""
        return self.x[..., 2:]


def batch(size: int, length: int, mixed: bool, generator: torch.Generator, dtype: torch.dtype) -> Batch:
    """A batch. The first sequence has the whole length; with `mixed` the others have from T/5 (at least 2) to T."""
    lengths = torch.full((size,), length)
    if mixed:
        shortest = max(2, length // 5)
        lengths[1:] = torch.randint(shortest, length + 1, (size - 1,), generator=generator)
    numbers = torch.rand(length, size, generator=generator, dtype=torch.float64)
    draws = torch.rand(2, size, generator=generator, dtype=torch.float64)
    start, half = length - lengths, lengths // 2
    first = start + (draws[0] * half).long()
    second = start + half + (draws[1] * (lengths - half)).long()
    steps = torch.arange(length)[:, None]
    marks = ((steps == first) | (steps == second)).double()
    present = (steps >= start).double()
    x = torch.stack([numbers * present, marks, present], -1)
    return Batch(x.to(dtype), (numbers * marks).cumsum(0).to(dtype), lengths)
