"""What is measured of the networks after each task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from . import Algorithm
from .learners import Learners
from .problem import BITS, Problem


@dataclass
class Record:
    """Values by task, each (algorithms, seeds); the targets' variance (seeds)."""

    algorithms: tuple[Algorithm, ...]
    errors: list[Tensor] = field(default_factory=list)
    variances: list[Tensor] = field(default_factory=list)
    dead: list[Tensor] = field(default_factory=list)
    sizes: list[Tensor] = field(default_factory=list)
    ranks: list[Tensor] = field(default_factory=list)

    def add(self, learners: Learners, problem: Problem, apart: Tensor, targets: Tensor) -> None:
        """After a task: y − y* of every step (steps, networks), and the targets (steps, seeds)."""
        shape = len(self.algorithms), learners.parameters.seeds
        units = learners.units(problem.every_input)
        self.errors.append(apart.square().mean(0).view(shape))
        self.variances.append(targets.var(0))
        self.dead.append((units.amax(1) == 0).float().mean(1).view(shape))
        self.sizes.append(weight_size(learners).view(shape))
        self.ranks.append(effective_rank(units).view(shape))

    def relative(self, first: int, last: int) -> Tensor:
        """The error over the targets' variance, of the tasks from `first` up to `last`: (algorithms, seeds)."""
        errors, variances = torch.stack(self.errors[first:last]), torch.stack(self.variances[first:last])
        return errors.mean(0) / variances.mean(0).clamp_min(1e-12)


def weight_size(learners: Learners) -> Tensor:
    """Mean |w| of each network, without the biases."""
    inner, outer = learners.inner[:, :, :BITS], learners.outer[:, 0, :-1]
    return torch.cat([inner.flatten(1), outer], 1).abs().mean(1)


def effective_rank(matrices: Tensor) -> Tensor:
    """exp(−Σ p log p), p the singular values over their sum (Roy and Vetterli 2007); 0 for a matrix of zeros."""
    values = torch.linalg.svdvals(matrices.double())
    total = values.sum(-1, keepdim=True)
    shares = values / total.clamp_min(1e-300)
    rank = torch.exp(-torch.xlogy(shares, shares).sum(-1))
    return torch.where(total[..., 0] > 0, rank, 0.0)


def by_algorithm(algorithms: Sequence[Algorithm], values: Sequence[Tensor]) -> dict[str, list[float]]:
    """Means over the seeds, task by task."""
    means = torch.stack(list(values)).mean(2)
    return {name: means[:, place].tolist() for place, name in enumerate(algorithms)}
