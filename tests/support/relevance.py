"""Layer-wise relevance propagation once more, as a reference."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def relevance_of_tiny(net: Any, x: Tensor, pool: Callable[[Tensor], Tensor], target: int) -> Tensor:
    """Of the picture of a `Tiny`, normalised, (1, C, H, W): (C, H, W), for a linear layer on what `pool` leaves.

    ε in the linear layer, z⁺ in the second convolution, flat in the first; biases shared out.
    """
    first = net.activation(net.first(x)).detach()
    second = net.activation(net.second(first)).detach()
    pooled = pool(second)
    score = net.head(pooled.flatten(1))[:, [target]].detach()
    weight, bias = net.head.weight[[target]], net.head.bias[[target]]
    relevance = relevance_of_inputs(pooled.flatten(1), weight, bias, score, F.linear)
    # each value in proportion to itself, of its mean
    relevance = relevance_of_inputs(
        second, second.new_ones(1), None, relevance.view_as(pooled), lambda values, one: pool(values) * one
    )
    convolution = partial(F.conv2d, stride=2, padding=1)
    relevance = relevance_of_inputs(first, net.second.weight, net.second.bias, relevance, convolution, plus=True)
    ones = torch.ones_like(net.first.weight)
    return relevance_of_inputs(torch.ones_like(x), ones, None, relevance, partial(F.conv2d, padding=1))[0]


def relevance_of_inputs(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    relevance: Tensor,
    apply: Callable[[Tensor, Tensor], Tensor],
    plus: bool = False,
) -> Tensor:
    """Σ_j (q_ij + |x_i| (b_j + ε) / Σ_i |x_i|) R_j / z_j, with q_ij = x_i w_ij or its positive part.

    Of a mean, which has one weight for all, ε is shared out equally.
    """
    pairs = [(x, weight)]
    if plus:
        pairs = [(x.clamp(min=0), weight.clamp(min=0)), (x.clamp(max=0), weight.clamp(max=0))]
    rest = torch.zeros(()) if bias is None else bias.clamp(min=0) if plus else bias
    rest = rest.view(-1, *[1] * (relevance.ndim - 2)) if rest.ndim else rest
    z = sum(apply(*pair) for pair in pairs) + rest
    margin = torch.where(z < 0, -1e-6, 1e-6)
    shares, ones = relevance / (z + margin), torch.ones_like(weight)
    sizes = torch.ones_like(x) if weight.ndim == 1 else x.abs() + 1e-300  # equal shares where all are 0
    pairs_back = [(values, weights, shares) for values, weights in pairs]
    pairs_back.append((sizes, ones, shares * (rest + margin) / apply(sizes, ones)))
    found = torch.zeros_like(x)
    for values, weights, upstream in pairs_back:
        leaf = values.detach().clone().requires_grad_()
        found += values * torch.autograd.grad(apply(leaf, weights), leaf, upstream)[0]
    return found.detach()
