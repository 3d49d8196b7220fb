"""Functions to differentiate, and the three differences."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import Function, Scheme

HIDDEN = 8
Scalar = Callable[[Tensor], Tensor]


def network(seed: int) -> Scalar:
    """v·tanh(W x): four inputs, eight units, weights of variance 1 over the number of inputs."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(HIDDEN, 4, generator=generator, dtype=torch.float64) / 2
    readout = torch.randn(HIDDEN, generator=generator, dtype=torch.float64) / HIDDEN**0.5
    return lambda x: (readout.to(x.dtype) * torch.tanh(weight.to(x.dtype) @ x)).sum()


def function(name: Function, seed: int) -> Scalar:
    """A function of a vector that takes complex numbers too. ReLU of one is the number where its real part is > 0."""
    if name == "network":
        return network(seed)
    if name == "relu":
        return lambda x: torch.where(x.real > 0, x, torch.zeros_like(x)).sum()
    if name == "quadratic":
        return lambda x: x[0] ** 2 + 3 * x[0] * x[1]
    return lambda x: torch.sin(x).sum()


def gradient(f: Scalar, point: Tensor) -> Tensor:
    """By autograd, in float64. Of ReLU at 0 it is 0."""
    leaf = point.detach().double().clone().requires_grad_()
    (found,) = torch.autograd.grad(f(leaf), leaf)
    return found


def difference(f: Scalar, point: Tensor, scheme: Scheme, step: float) -> Tensor:
    """The scheme's derivative by each coordinate, computed in the precision of `point`."""
    found = []
    for axis in range(len(point)):
        h = torch.zeros_like(point)
        h[axis] = step
        if scheme == "complex":
            found.append(f(torch.complex(point, h)).imag / h[axis])
        elif scheme == "one_sided":
            found.append((f(point + h) - f(point)) / h[axis])
        else:
            found.append((f(point + h) - f(point - h)) / (2 * h[axis]))
    return torch.stack(found)


def error(found: Tensor, expected: Tensor) -> float:
    """‖found − expected‖ / max(1, ‖expected‖): absolute for small gradients, relative for large ones."""
    expected = expected.double()
    return float((found.double() - expected).norm() / max(1.0, float(expected.norm())))
