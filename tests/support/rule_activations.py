"""Activations whose backward pass is a method's rule: the definitions, written down directly."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Activation = Callable[[Tensor], Tensor]


class ActivationWithRule(torch.autograd.Function):
    """An activation f forward; backward as the subclass has it."""

    @staticmethod
    def forward(ctx, x, activation):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        ctx.activation = activation
        return activation(x.clone())


def derivative(activation: Activation, x: Tensor) -> Tensor:
    with torch.enable_grad():
        inner = x.detach().requires_grad_()
        return torch.autograd.grad(activation(inner.clone()).sum(), inner)[0]


class GuidedActivation(ActivationWithRule):
    """max(0, upstream) · f′(x)"""

    @staticmethod
    def backward(ctx, upstream):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return upstream.clamp(min=0) * derivative(ctx.activation, x), None


class DeconvolutionActivation(ActivationWithRule):
    """max(0, upstream)"""

    @staticmethod
    def backward(ctx, upstream):  # type: ignore[no-untyped-def]
        return upstream.clamp(min=0), None


class RescaleActivation(ActivationWithRule):
    """upstream · Δf / Δx, for a batch of the picture and its baseline; f′(x) where Δx is 0."""

    @staticmethod
    def backward(ctx, upstream):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        inputs, outputs = (values[0] - values[1] for values in (x, ctx.activation(x.clone())))
        slope = torch.where(inputs == 0, derivative(ctx.activation, x)[0], outputs / inputs)
        return upstream * slope, None
