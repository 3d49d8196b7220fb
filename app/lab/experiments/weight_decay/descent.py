"""Descents by torch.optim with four kinds of decay, all kinds at once: every rule is element by element."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

from . import Kind, WeightDecayParameters

KINDS: tuple[Kind, ...] = get_args(Kind)
MINIMUM = (0.4, 1.5)
"""Lowest point of the bowl without a penalty: the first weight is small, so that L1 can make it 0."""

START = (-3.0, -2.0)
UNUSED = 3.0
"""Where a third weight starts that the loss does not depend on."""


def optimiser(parameters: WeightDecayParameters, moving: Tensor) -> Optimizer:
    """PyTorch's, without a decay of its own."""
    if parameters.optimiser == "sgd":
        return SGD([moving], lr=parameters.rate, momentum=parameters.momentum, foreach=False)
    return Adam([moving], lr=parameters.rate, foreach=False)


def soft(values: Tensor, threshold: Tensor | float) -> Tensor:
    """sign(w)·max(|w| − threshold, 0)."""
    return values.sign() * (values.abs() - threshold).clamp(min=0)


def descend(
    parameters: WeightDecayParameters,
    start: Tensor,
    decays: Tensor,
    gradient: Callable[[Tensor, int], Tensor],
) -> Iterator[Tensor]:
    """Weights (kinds, …) before the first step and after each, of all four kinds, in the order of `KINDS`.

    `start` has the shape of one kind's weights, `decays` (λ) is broadcast to it; `gradient(weights, step)` is of the
    loss without the penalty, at all kinds' weights.
    """
    weights = start.expand(len(KINDS), *start.shape).clone().requires_grad_()
    rule = optimiser(parameters, weights)
    l1, proximal, l2, decoupled = range(len(KINDS))
    shrunk = parameters.rate * decays
    yield weights.detach().clone()
    for step in range(parameters.steps):
        with torch.no_grad():
            slope = gradient(weights.detach(), step)
            slope[l1] += decays * weights[l1].sign()
            slope[l2] += decays * weights[l2]
            weights.grad = slope
            weights[decoupled] *= 1 - shrunk
        rule.step()
        with torch.no_grad():
            weights[proximal] = soft(weights[proximal], shrunk)
        yield weights.detach().clone()


@dataclass(frozen=True)
class Bowl:
    """f(w) = ½ Σ c_i (w_i − m_i)² with curvatures c = (1, κ), and a third weight that f does not depend on."""

    curvatures: Tensor
    minimum: Tensor

    def height(self, weights: Tensor) -> Tensor:
        """f at (…, 2)."""
        return (self.curvatures * (weights - self.minimum) ** 2).sum(-1) / 2

    def gradient(self, weights: Tensor) -> Tensor:
        """∂f/∂w = c·(w − m) at (…, 2)."""
        return self.curvatures * (weights - self.minimum)

    def lowest(self, kind: Kind, decay: float) -> Tensor:
        """Where loss and penalty together are lowest: L2 c·m/(c + λ), L1 sign(m)·max(|m| − λ/c, 0)."""
        if kind in ("l2", "decoupled"):
            return self.curvatures * self.minimum / (self.curvatures + decay)
        return soft(self.minimum, decay / self.curvatures)


def bowl(parameters: WeightDecayParameters) -> Bowl:
    """The bowl asked for."""
    return Bowl(
        torch.tensor([1.0, parameters.condition], dtype=torch.float64), torch.tensor(MINIMUM, dtype=torch.float64)
    )


def paths(parameters: WeightDecayParameters, seed: int) -> dict[str, Tensor]:
    """Of each kind, and of `none` (no decay): weights (steps + 1, 3) on the bowl. The noise is the same for all."""
    surface = bowl(parameters)
    start = torch.tensor([*(parameters.start or START), UNUSED], dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    noise = parameters.noise * torch.randn(parameters.steps, 2, generator=generator, dtype=torch.float64)

    def gradient(weights: Tensor, step: int) -> Tensor:
        slope = torch.zeros_like(weights)
        slope[..., :2] = surface.gradient(weights[..., :2]) + noise[step]
        return slope

    # two columns: without decay, and with λ
    decays = torch.tensor([[0.0], [parameters.decay]], dtype=torch.float64)
    points = torch.stack(list(descend(parameters, start.expand(2, 3), decays, gradient)))
    found: dict[str, Tensor] = {kind: points[:, place, 1] for place, kind in enumerate(KINDS)}
    return {**found, "none": points[:, KINDS.index("l2"), 0]}
