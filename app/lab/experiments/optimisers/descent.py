"""Descents by torch.optim, several rates at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor
from torch.optim import SGD, Adadelta, Adagrad, Adam, Adamax, NAdam, Optimizer, RMSprop

from . import Optimiser, OptimisersParameters
from .schedules import factor
from .surfaces import REDDI, gradients, heights, place

OPTIMISERS: tuple[Optimiser, ...] = get_args(Optimiser)

RATES = [10 ** (power / 4) for power in range(-16, 7)]
"""What the search tries, from 1e-4 to 32, four to a power of ten."""

DEFAULTS: dict[Optimiser, float] = {
    "sgd": 1e-3, "momentum": 1e-3, "nesterov": 1e-3, "adagrad": 1e-2, "rmsprop": 1e-2, "adadelta": 1.0,
    "adam": 1e-3, "adamax": 2e-3, "nadam": 2e-3, "amsgrad": 1e-3,
}  # fmt: skip
"""Rates that torch.optim takes where none is given."""

STATES = {
    "velocity": ("momentum_buffer", "exp_avg", "acc_delta"),
    "second_moment": ("max_exp_avg_sq", "exp_avg_sq", "square_avg", "sum", "exp_inf"),
}
"""What is kept from step to step, by the names that torch.optim gives it; the first that is there is shown."""


def optimiser(parameters: OptimisersParameters, name: Optimiser, moving: Tensor) -> Optimizer:
    """PyTorch's, with its defaults and rate 1. On Reddi's example Adam and AMSGrad have the paper's β₁ = 0 and β₂."""
    mass = parameters.momentum
    betas = (0.0, 1 / (1 + REDDI**2)) if parameters.surface == "reddi" else (0.9, 0.999)
    made: dict[Optimiser, Callable[[], Optimizer]] = {
        "sgd": lambda: SGD([moving], lr=1.0, foreach=False),
        "momentum": lambda: SGD([moving], lr=1.0, momentum=mass, foreach=False),
        "nesterov": lambda: SGD([moving], lr=1.0, momentum=mass, nesterov=mass > 0, foreach=False),
        "adagrad": lambda: Adagrad([moving], lr=1.0, foreach=False),
        "rmsprop": lambda: RMSprop([moving], lr=1.0, foreach=False),
        "adadelta": lambda: Adadelta([moving], lr=1.0, rho=parameters.rho, foreach=False),
        "adam": lambda: Adam([moving], lr=1.0, betas=betas, foreach=False),
        "adamax": lambda: Adamax([moving], lr=1.0, foreach=False),
        "nadam": lambda: NAdam([moving], lr=1.0, foreach=False),
        "amsgrad": lambda: Adam([moving], lr=1.0, betas=betas, amsgrad=True, foreach=False),
    }
    return made[name]()


@dataclass(frozen=True)
class Descent:
    """Where each rate went: points (rates, steps + 1, 2), and sizes of the state (rates, steps) by their names."""

    rates: list[float]
    points: Tensor
    state: dict[str, Tensor]

    def only(self, chosen: int) -> Descent:
        """One rate's."""
        state = {name: one[chosen : chosen + 1] for name, one in self.state.items()}
        return Descent(self.rates[chosen : chosen + 1], self.points[chosen : chosen + 1], state)


def descend(parameters: OptimisersParameters, name: Optimiser, rates: Sequence[float], seed: int) -> Descent:
    """A descent for each rate, all with the same noise.

    Every rule is a rate times a direction that depends on the gradients alone. So one optimiser with rate 1 moves a
    tensor (rates, 2) that is put back to 0 before each step: what it holds after the step are the directions.
    """
    start = torch.tensor(parameters.start or place(parameters).start, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    noise = parameters.noise * torch.randn(parameters.steps, 2, generator=generator, dtype=torch.float64)
    scales = torch.tensor(rates, dtype=torch.float64)[:, None]
    direction = torch.zeros(len(rates), 2, dtype=torch.float64, requires_grad=True)
    rule = optimiser(parameters, name, direction)
    points = [start.expand(len(rates), 2)]
    state: dict[str, list[Tensor]] = {}
    for step in range(parameters.steps):
        with torch.no_grad():
            direction.zero_()
        direction.grad = gradients(parameters, points[-1], step) + noise[step]
        rule.step()
        scale = factor(parameters.schedule, step, parameters.steps)
        if parameters.surface == "reddi":
            scale /= (step + 1) ** 0.5
        moved = points[-1] + scales * scale * direction.detach()
        points.append(moved.clamp(-1, 1) if parameters.surface == "reddi" else moved)
        for kept, names in STATES.items():
            sizes = _sizes(rule.state[direction], names)
            if sizes is not None:
                state.setdefault(kept, []).append(sizes)
    return Descent(list(rates), torch.stack(points, 1), {kept: torch.stack(one, 1) for kept, one in state.items()})


def _sizes(kept: dict[str, Any], names: tuple[str, ...]) -> Tensor | None:
    """The norm, for each rate, of the first of these names that the optimiser keeps."""
    found = next((kept[name] for name in names if kept.get(name) is not None), None)
    return None if found is None else found.norm(dim=1)


def final_losses(parameters: OptimisersParameters, found: Descent) -> Tensor:
    """f at each rate's last point; infinite where the descent left all bounds."""
    last = heights(parameters, found.points[:, -1])
    return torch.where(last.isfinite(), last, torch.inf)


def best(parameters: OptimisersParameters, name: Optimiser, seed: int) -> Descent:
    """The rate of the search that ends lowest; of equals the smallest. PyTorch's default is among those tried."""
    rates = sorted({*RATES, DEFAULTS[name]})
    found = descend(parameters, name, rates, seed)
    return found.only(int(final_losses(parameters, found).argmin()))
