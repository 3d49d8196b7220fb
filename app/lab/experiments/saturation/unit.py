"""One unit with one input of 1: its error, its gradients by autograd, and its descent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from . import Activation

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "linear": lambda z: z * 1,
}


def target(activation: Activation) -> float:
    """What the unit should answer: the lowest value of a bounded activation, else 0."""
    return -1.0 if activation == "tanh" else 0.0


def loss_of(activation: Activation, loss: str, z: Tensor) -> Tensor:
    """The loss as a function of z = w·1 + b. Cross-entropy is −ln(1 − p), written so that it does not overflow."""
    if loss == "squared":
        return (ACTIVATIONS[activation](z) - target(activation)) ** 2 / 2
    # p = (1 + tanh z)/2 is the sigmoid of 2z, and −ln(1 − σ(2z)) = softplus(2z) has the slope 1 + tanh z = a − y
    return F.softplus(z) if activation == "sigmoid" else F.softplus(2 * z)


def slope(function: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """The derivative of an elementwise function, by autograd."""
    leaf = z.detach().clone().requires_grad_()
    (found,) = torch.autograd.grad(function(leaf).sum(), leaf)
    return found


@dataclass(frozen=True)
class Descent:
    """Before each step: |a − y|, ∂L/∂z (which is ∂L/∂w, and ∂L/∂b), and z; then z at the end."""

    errors: list[float]
    gradients: list[float]
    places: list[float]


def descend(activation: Activation, loss: str, weight: float, bias: float, rate: float, steps: int) -> Descent:
    """Gradient descent on weight and bias, gradients by autograd; one more error and place than steps."""
    both = torch.tensor([weight, bias], dtype=torch.float64, requires_grad=True)
    rule = torch.optim.SGD([both], lr=rate)
    found = Descent([], [], [])
    for step in range(steps + 1):
        z = both.sum()
        found.places.append(float(z.detach()))
        found.errors.append(abs(float(ACTIVATIONS[activation](z.detach())) - target(activation)))
        if step == steps:
            break
        rule.zero_grad()
        torch.autograd.backward(loss_of(activation, loss, z))
        assert both.grad is not None
        found.gradients.append(float(both.grad[0]))
        rule.step()
    return found
