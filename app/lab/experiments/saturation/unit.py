"""One unit with one input of 1: its error, its gradients by autograd, and its descent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

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
    # (not F.softplus: above 20 it is a straight line, and its slope is off by 2e-9)
    exponent = z if activation == "sigmoid" else 2 * z
    return torch.logaddexp(torch.zeros_like(exponent), exponent)


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
    """Gradient descent on weight and bias; one more error and place than steps.

    The input is 1, so ∂L/∂w = ∂L/∂b = ∂L/∂z. The steps take ∂L/∂z in closed form, thousands of them in no time; the
    gradients that are told are autograd's at the places where the unit was, all in one pass.
    """
    derivative = _DERIVATIVES[activation, loss]
    places = [weight + bias]
    for _ in range(steps):
        change = rate * derivative(places[-1])
        weight, bias = weight - change, bias - change
        places.append(weight + bias)
    z = torch.tensor(places, dtype=torch.float64)
    errors = (ACTIVATIONS[activation](z) - target(activation)).abs()
    gradients = slope(lambda place: loss_of(activation, loss, place), z[:-1])
    return Descent(errors.tolist(), gradients.tolist(), places)


def _sigmoid(z: float) -> float:
    """1/(1 + e⁻ᶻ), for any z without an overflow."""
    small = math.exp(-abs(z))
    return small / (1 + small) if z < 0 else 1 / (1 + small)


def _squared_sigmoid(z: float) -> float:
    a = _sigmoid(z)
    return a * a * (1 - a)


def _squared_tanh(z: float) -> float:
    a = math.tanh(z)
    return (a + 1) * (1 - a * a)


_DERIVATIVES: dict[tuple[Activation, str], Callable[[float], float]] = {
    ("sigmoid", "squared"): _squared_sigmoid,
    ("tanh", "squared"): _squared_tanh,
    ("relu", "squared"): lambda z: z if z > 0 else 0.0,
    ("linear", "squared"): lambda z: z,
    ("sigmoid", "cross_entropy"): _sigmoid,
    ("tanh", "cross_entropy"): lambda z: 2 * _sigmoid(2 * z),
}
"""∂L/∂z in closed form."""
