"""The operations of a recorded pass, as autograd functions that pass relevance back in the place of gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from .layers import STABILISER, Layer, LayerRule


class LayerRelevance(Function):
    """A layer: its outputs forward, its rule backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: Layer, rule: LayerRule, share_rest: bool) -> Tensor:
        ctx.layer, ctx.rule, ctx.share_rest = layer, rule, share_rest
        return layer.outputs()

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> Any:
        with torch.no_grad():
            return ctx.rule(ctx.layer, relevance, ctx.share_rest), None, None, None


class Same(Function):
    """A function of single values, such as an activation or a scale: the relevance of its output is that of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, result: Tensor) -> Tensor:
        return result.clone()

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> Any:
        return relevance, None


class InProportion(Function):
    """Sums and means: each value gets relevance in proportion to what it adds, R_i = Σ_j x_i a_ij R_j / z_j.

    z_j = Σ_i x_i a_ij + ε as in a layer. With `share_rest`, what ε keeps is shared out equally.
    """

    @staticmethod
    def forward(ctx: Any, call: Callable[..., Tensor], result: Tensor, share_rest: bool, *values: Tensor) -> Tensor:
        ctx.call, ctx.result, ctx.share_rest = call, result.clone(), share_rest
        ctx.values = [value.detach().clone() for value in values]
        return result.clone()

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> Any:
        margin = STABILISER * torch.where(ctx.result < 0, -1.0, 1.0).to(ctx.result)
        shares = relevance / (ctx.result + margin)
        _, back = _linear(ctx.call, ctx.values, shares)
        shared = [value * factors for value, factors in zip(ctx.values, back, strict=True)]
        if ctx.share_rest:
            ones = [torch.ones_like(value) for value in ctx.values]
            counts, _ = _linear(ctx.call, ones, shares)
            rest = torch.where(counts == 0, 0, shares * margin / counts)
            _, back = _linear(ctx.call, ones, rest)
            shared = [value + equal for value, equal in zip(shared, back, strict=True)]
        return None, None, None, *shared


def _linear(call: Callable[..., Tensor], values: list[Tensor], upstream: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """What `call` gives for values, and the product of `upstream` with its transposed matrix."""
    with torch.enable_grad():
        leaves = [value.clone().requires_grad_() for value in values]
        result = call(*(leaf.clone() for leaf in leaves))  # a clone: it may work in place
        return result.detach(), torch.autograd.grad(result, leaves, upstream)
