"""Deep networks at their start, several at once, and what a theory of infinitely wide ones says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from . import Activation, DepthParameters

NETWORKS, SAMPLES, CLASSES = 4, 64, 10

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "gelu": F.gelu,
    "linear": lambda u: u * 1,
}

SATURATED = 0.05
"""A unit whose slope is below this share of the activation's steepest is called saturated."""


def slopes(activation: Activation, u: Tensor) -> Tensor:
    """φ′(u), by autograd."""
    leaf = u.detach().clone().requires_grad_()
    (found,) = torch.autograd.grad(ACTIVATIONS[activation](leaf).sum(), leaf)
    return found


def steepest(activation: Activation) -> float:
    """max |φ′|: 1/4 for the sigmoid, 1 for tanh and ReLU."""
    return float(slopes(activation, torch.linspace(-10, 10, 20001, dtype=torch.float64)).abs().max())


def weight_variance(parameters: DepthParameters) -> float:
    """Variance of a weight between two layers of n units. Xavier: 2/(n_in + n_out)."""
    n = parameters.width
    return {"normal": parameters.sigma**2, "xavier": 2 / (n + n), "he": 2 / n, "lecun": 1 / n, "orthogonal": 1 / n,
            "zeros": 0.0}[parameters.initialisation]  # fmt: skip


def hidden_weights(parameters: DepthParameters, generator: torch.Generator, networks: int = NETWORKS) -> list[Tensor]:
    """A (networks, width, width) tensor for each layer, float64."""
    shape = (networks, parameters.width, parameters.width)
    found = []
    for _ in range(parameters.depth):
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
        orthogonal = parameters.initialisation == "orthogonal"
        found.append(torch.linalg.qr(drawn)[0] if orthogonal else drawn * weight_variance(parameters) ** 0.5)
    return found


@dataclass(frozen=True)
class Flow:
    """What was measured in each network, [network, layer]."""

    forward: Tensor
    """Mean square of the layer's outputs."""
    backward: Tensor
    """Root mean square over the samples of ‖∂L/∂h_l‖, L one sample's loss."""
    weights: Tensor
    """‖∂L/∂W_l‖, L the mean over the samples."""
    saturated: Tensor
    """Share of units saturated, over the samples; of ReLU, share of units that are 0 for every sample."""
    outputs: list[Tensor]


def flow(parameters: DepthParameters, generator: torch.Generator, networks: int = NETWORKS) -> Flow:
    """One pass forward and one back."""
    drawn = [weight.requires_grad_() for weight in hidden_weights(parameters, generator, networks)]
    random = {"generator": generator, "dtype": torch.float64}
    h = torch.randn(networks, SAMPLES, parameters.width, **random)  # type: ignore[call-overload]
    readout = torch.randn(networks, parameters.width, CLASSES, **random) / parameters.width**0.5  # type: ignore[call-overload]
    if parameters.initialisation == "zeros":
        readout = torch.zeros_like(readout)
    targets = torch.randint(CLASSES, (networks, SAMPLES), generator=generator)
    inputs, outputs = [], []
    for weight in drawn:
        u = _normalised(parameters, h @ weight.mT)
        inputs.append(u.detach())
        new = ACTIVATIONS[parameters.activation](u)
        h = new + h if parameters.residual else new
        outputs.append(h)
    losses = _losses(parameters, h @ readout, targets)
    found = torch.autograd.grad(losses.sum(), [*outputs, *drawn])
    back, by_weight = found[: len(outputs)], found[len(outputs) :]
    return Flow(
        torch.stack([(one.detach() ** 2).mean((1, 2)) for one in outputs], 1),
        torch.stack([(one**2).sum(2).mean(1).sqrt() for one in back], 1),
        torch.stack([one.flatten(1).norm(dim=1) / SAMPLES for one in by_weight], 1),
        torch.stack([_saturated(parameters.activation, one) for one in inputs], 1),
        [one.detach() for one in outputs],
    )


def _normalised(parameters: DepthParameters, u: Tensor) -> Tensor:
    """Batch normalisation over the samples, layer normalisation over the units; (networks, samples, units)."""
    if parameters.normalisation == "none":
        return u
    dimension = 1 if parameters.normalisation == "batch" else 2
    centred = u - u.mean(dimension, keepdim=True)
    return centred / ((centred**2).mean(dimension, keepdim=True) + 1e-5).sqrt()


def _losses(parameters: DepthParameters, outputs: Tensor, targets: Tensor) -> Tensor:
    if parameters.loss == "squared":
        return ((outputs - F.one_hot(targets, CLASSES)) ** 2).sum(-1) / 2
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")


def _saturated(activation: Activation, u: Tensor) -> Tensor:
    if activation == "relu":
        return (u <= 0).all(1).double().mean(1)
    return (slopes(activation, u).abs() < SATURATED * steepest(activation)).double().mean((1, 2))


@dataclass(frozen=True)
class Theory:
    """What an infinitely wide network does: mean squares of the outputs, and gradients relative to the last layer's."""

    forward: list[float]
    backward: list[float]


@cache
def _quadrature() -> tuple[Tensor, Tensor]:
    """Places, and weights that sum to 1: the mean of a function of a standard normal number."""
    nodes, masses = (torch.from_numpy(one) for one in np.polynomial.hermite_e.hermegauss(200))
    return nodes, masses / masses.sum()


def theory(parameters: DepthParameters) -> Theory:
    """Gaussian integrals by Gauss–Hermite quadrature, layer by layer. Without normalisation and residual only."""
    nodes, masses = _quadrature()
    gain = weight_variance(parameters) * parameters.width
    forward, factors, mean_square = [], [], 1.0
    for _ in range(parameters.depth):
        u = nodes * (gain * mean_square) ** 0.5
        mean_square = float((masses * ACTIVATIONS[parameters.activation](u) ** 2).sum())
        forward.append(mean_square)
        factors.append(gain * float((masses * slopes(parameters.activation, u) ** 2).sum()))
    backward = [1.0]
    for factor in reversed(factors[1:]):
        backward.append(backward[-1] * factor**0.5)
    return Theory(forward, backward[::-1])
