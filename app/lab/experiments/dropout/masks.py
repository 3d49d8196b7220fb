"""All masks of a small network, and their means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from . import DropoutParameters

CLASSES = 4
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "tanh": torch.tanh}
ROOM = 1.0
"""Standard deviation of the biases: without them a ReLU network of one unit would be linear in its mask."""


@dataclass(frozen=True)
class Network:
    """The outputs h (n,) of the units that are dropped, and the layers behind them: weights and biases."""

    h: Tensor
    weights: list[Tensor]
    biases: list[Tensor]
    activation: Callable[[Tensor], Tensor]

    def logits(self, h: Tensor) -> Tensor:
        """Of outputs (…, n), masked or not: (…, classes)."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = self.activation(h @ weight + bias)
        return h @ self.weights[-1] + self.biases[-1]


def network(parameters: DropoutParameters, layers: int, generator: torch.Generator) -> Network:
    """Draws h, then layer by layer weights of variance 2/n and biases of variance 1, all in float64."""
    units = parameters.units

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    h, weights, biases = normal(units), [], []
    for outputs in [units] * layers + [CLASSES]:
        weights.append(normal(units, outputs) * (2 / units) ** 0.5)
        biases.append(ROOM * normal(outputs))
    return Network(h, weights, biases, ACTIVATIONS[parameters.activation])


def all_masks(units: int) -> Tensor:
    """All 2ⁿ masks (2ⁿ, n) of 0 and 1; the first drops every unit, the last none."""
    places = 2 ** torch.arange(units - 1, -1, -1)
    return ((torch.arange(2**units)[:, None] & places) > 0).double()


def chances(masks: Tensor, p: float) -> Tensor:
    """P(m) = Π (1 − p)^{m_i} p^{1 − m_i} of each mask; with p = 0 only the mask that drops none has a chance."""
    return (masks * (1 - p) + (1 - masks) * p).prod(1)


@dataclass(frozen=True)
class Means:
    """Probabilities of the classes: of each mask (2ⁿ, classes), and three means (classes,)."""

    masked: Tensor
    chance: Tensor
    arithmetic: Tensor
    geometric: Tensor
    scaled: Tensor

    @property
    def geometric_gap(self) -> float:
        return float((self.geometric - self.scaled).abs().max())

    @property
    def arithmetic_gap(self) -> float:
        return float((self.arithmetic - self.scaled).abs().max())


def means(net: Network, p: float) -> Means:
    """Arithmetic: Σ P(m) y(m). Geometric, normalised: Π y_k(m)^{P(m)} over their sum. Scaled: the whole network's."""
    masks = all_masks(len(net.h))
    chance = chances(masks, p)
    logs = F.log_softmax(net.logits(net.h * masks / (1 - p)), -1)
    arithmetic, geometric = chance @ logs.exp(), F.softmax(chance @ logs, -1)
    return Means(logs.exp(), chance, arithmetic, geometric, F.softmax(net.logits(net.h), -1))


@dataclass(frozen=True)
class Backward:
    """One mask's pass back, of the loss −ln y_0: the factor m/(1 − p), and gradients by autograd."""

    mask: Tensor
    factor: Tensor
    dropped: Tensor
    arriving: Tensor
    gradient: Tensor

    @property
    def gap(self) -> float:
        """The largest difference of autograd's gradient from factor × what arrives."""
        return float((self.gradient - self.factor * self.arriving).abs().max())


def backward(net: Network, mask: Tensor, p: float) -> Backward:
    """∂L/∂h, h before the mask, and ∂L/∂h̃, h̃ = h·m/(1 − p) behind it; `F.dropout`'s rule with the mask given."""
    h = net.h.clone().requires_grad_()
    factor = mask / (1 - p)
    dropped = h * factor
    loss = -F.log_softmax(net.logits(dropped), -1)[0]
    arriving, gradient = torch.autograd.grad(loss, (dropped, h))
    return Backward(mask, factor, dropped.detach(), arriving, gradient)


def mean_gradient(net: Network, p: float) -> tuple[Tensor, Tensor]:
    """∂L/∂h averaged over all masks by their chances, and that of the whole network."""
    masks = all_masks(len(net.h))
    h = net.h.expand(len(masks), -1).clone().requires_grad_()
    losses = -F.log_softmax(net.logits(h * masks / (1 - p)), -1)[:, 0]
    (each,) = torch.autograd.grad(losses.sum(), h)
    return chances(masks, p) @ each, backward(net, torch.ones_like(net.h), 0.0).gradient
