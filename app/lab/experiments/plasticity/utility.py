"""Continual backprop: what a hidden unit is worth, and the replacement of those that are worth least."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from . import PlasticityParameters
from .problem import BITS

BLOCK = 20
"""Steps between two looks at the utilities. The averages are those of every step; a unit may wait so long."""


INNER_BOUND = (6 / (BITS + 1)) ** 0.5
"""Ingoing weights are drawn evenly between −bound and bound (He: bound² = 6 / inputs), with a bias of 0."""


class Replacement:
    """Running averages of each unit of each network, and the age of each (arXiv:2108.06325, algorithm 1).

    f ← ηf + (1 − η)h, f̂ = f/(1 − ηᵃ), with the age a: the unit's mean. u ← ηu + (1 − η)|h − f̂|·Σ|v|/Σ|w|, û =
    u/(1 − ηᵃ): its utility, of its outgoing weights v and its ingoing weights w. At every step ρ times the number of
    units that are older than the maturity is added to a counter; when it is 1, the one with the lowest û starts anew:
    w is drawn as at the start, v = 0, age 0. v·f̂, what it gave on average, is added to the output's bias. Without
    `bias_correction` f̂ = f and û = u.
    """

    def __init__(
        self, parameters: PlasticityParameters, inner: Tensor, outer: Tensor, generator: torch.Generator
    ) -> None:
        self.parameters, self.inner, self.outer, self.generator = parameters, inner, outer, generator
        networks, hidden = inner.shape[:2]
        self.age, self.mean, self.utility = (torch.zeros(networks, hidden) for _ in range(3))
        self.counter = torch.zeros(networks)
        self.ages: list[Tensor] = []  # of the units that were replaced
        self._units = torch.zeros(BLOCK, networks, hidden, 1)
        self._weights = torch.zeros(BLOCK, networks, hidden * (BITS + 1) + hidden + 1)
        self._unit_places, self._weight_places = self._units.unbind(), self._weights.unbind()
        self._seen = 0

    def saw(self, units: Tensor, weights: Tensor) -> None:
        """A step: hidden units (networks, hidden, 1), and all weights after it."""
        self._unit_places[self._seen].copy_(units)
        self._weight_places[self._seen].copy_(weights)
        self._seen += 1
        if self._seen == BLOCK:
            self._seen = 0
            self._average()
            self._replace()

    def _average(self) -> None:
        """The averages over the steps that were seen: the recursion in closed form."""
        eta = self.parameters.utility_decay
        networks, hidden = self.age.shape
        ages = self.age + torch.arange(1, BLOCK + 1)[:, None, None]
        inner = self._weights[:, :, : hidden * (BITS + 1)].view(BLOCK, networks, hidden, BITS + 1).abs().sum(3)
        outer = self._weights[:, :, hidden * (BITS + 1) : -1].abs()
        units = self._units[..., 0]
        means = recursion(units, self.mean, eta)
        worth = (units - means / self._correction(ages)).abs() * outer / inner.clamp_min(1e-12)
        self.mean, self.utility, self.age = means[-1], recursion(worth, self.utility, eta)[-1], ages[-1]

    def _replace(self) -> None:
        asked = self.parameters
        eligible = self.age > asked.maturity
        self.counter += BLOCK * asked.replacement_rate * eligible.sum(1)
        due = (self.counter >= 1) & eligible.any(1)
        if not due.any():
            return
        correction = self._correction(self.age)
        lowest = (self.utility / correction).masked_fill(~eligible, torch.inf).argmin(1)
        rows = due.nonzero()[:, 0]
        units = lowest[rows]
        drawn = uniform(INNER_BOUND, (len(rows), BITS), self.generator)
        self.ages.append(self.age[rows, units])
        given = self.outer[rows, 0, units] * (self.mean / correction)[rows, units]
        self.outer[rows, 0, -1] += given
        self.outer[rows, 0, units] = 0
        self.inner[rows, units] = F.pad(drawn, (0, 1))
        for one in (self.age, self.mean, self.utility):
            one[rows, units] = 0
        self.counter[rows] -= 1

    def _correction(self, ages: Tensor) -> Tensor:
        """1 − ηᵃ, or 1 where nothing is corrected."""
        asked = self.parameters
        return 1 - asked.utility_decay**ages if asked.bias_correction else torch.ones_like(ages)

    @property
    def replaced(self) -> int:
        """Units that were replaced, over all networks."""
        return sum(len(one) for one in self.ages)

    @property
    def median_age(self) -> float | None:
        """Of the units that were replaced."""
        return float(torch.cat(self.ages).median()) if self.ages else None


def uniform(bound: float, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Evenly between −bound and bound."""
    return bound * (2 * torch.rand(*shape, generator=generator) - 1)


def recursion(values: Tensor, before: Tensor, eta: float) -> Tensor:
    """a_t = η a_{t−1} + (1 − η) x_t along the first dimension, all at once: a matrix of powers of η."""
    steps = torch.arange(len(values))
    powers = torch.tril(float(eta) ** (steps[:, None] - steps).clamp_min(0).to(values.dtype))
    flat = (1 - eta) * powers @ values.flatten(1)
    return flat.view_as(values) + before * (eta ** (steps + 1.0)).view(-1, *[1] * before.dim())
