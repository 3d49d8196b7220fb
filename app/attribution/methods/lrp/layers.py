"""The rules of layer-wise relevance propagation: how a linear layer shares the relevance of its outputs out.

Every rule has the form R_i = Σ_j q_ij R_j / z_j, with parts q_ij of the inputs i in an output j. The denominator z_j is
Σ_i q_ij plus what the layer's bias adds, plus ε to keep it from 0. If these two are shared out as well, by the
magnitude of the inputs, nothing is lost: Σ_i R_i = Σ_j R_j.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

STABILISER = 1e-6  # ε: what is added to the magnitude of each denominator
GAMMA = 0.25


@dataclass(frozen=True)
class Layer:
    """y = `apply`(x, W) + b in one pass; `apply` is linear in both x and W.

    `dense` tells a matrix product from a convolution. `lowest` and `highest` bound x where it is the picture itself, up
    to scale, shift and order of its values: then it is a first layer.
    """

    apply: Callable[[Tensor, Tensor], Tensor]
    x: Tensor
    weight: Tensor
    bias: Tensor | None
    dense: bool
    lowest: Tensor | None = None
    highest: Tensor | None = None

    @property
    def is_first(self) -> bool:
        return self.lowest is not None

    def outputs(self) -> Tensor:
        values = self.apply(self.x, self.weight)
        bias = self.bias_of(values)
        return values if bias is None else values + bias

    def bias_of(self, values: Tensor) -> Tensor | None:
        """The bias, in a shape that can be added to outputs."""
        if self.bias is None or self.dense:
            return self.bias
        return self.bias.view(-1, *[1] * (self.weight.ndim - 2))

    def back(self, weight: Tensor, upstream: Tensor) -> Tensor:
        """The product with the transposed matrix of `apply`."""
        with torch.enable_grad():
            x = torch.zeros_like(self.x).requires_grad_()
            return torch.autograd.grad(self.apply(x, weight), x, upstream)[0]

    def by_magnitude(self, amounts: Tensor) -> Tensor:
        """Amounts of the outputs, shared out among the inputs of each by their |x|; equally where all are 0."""
        ones = torch.ones_like(self.weight)
        sizes, all_zero = self.x.abs(), self.apply((self.x != 0).to(self.x), ones) < 0.5
        totals = self.apply(sizes, ones)
        shared = sizes * self.back(ones, torch.where(all_zero, 0, amounts / totals))
        if not bool(all_zero.any()):
            return shared
        counts = self.apply(torch.ones_like(self.x), ones)
        return shared + self.back(ones, torch.where(all_zero, amounts / counts, 0))

    def share(self, relevance: Tensor, parts: Parts, bias: Tensor | None, share_rest: bool) -> Tensor:
        """Σ_j q_ij R_j / z_j; the parts are q_ij = x_i w_ij, each with inputs and weights of their own."""
        outputs = sum((self.apply(x, weight) for x, weight in parts), torch.zeros_like(relevance))
        outputs = outputs if bias is None else outputs + bias
        margin = STABILISER * torch.where(outputs < 0, -1.0, 1.0).to(outputs)
        shares = relevance / (outputs + margin)
        shared = sum((x * self.back(weight, shares) for x, weight in parts), torch.zeros_like(self.x))
        if not share_rest:
            return shared
        return shared + self.by_magnitude(shares * (margin if bias is None else bias + margin))


Parts = list[tuple[Tensor, Tensor]]  # (inputs, weights)
# (layer, relevance of its outputs, whether to share out what the bias and ε add) → relevance of its inputs
LayerRule = Callable[[Layer, Tensor, bool], Tensor]


def epsilon(layer: Layer, relevance: Tensor, share_rest: bool) -> Tensor:
    """q_ij = x_i w_ij; Bach et al. 2015."""
    return layer.share(relevance, [(layer.x, layer.weight)], layer.bias_of(relevance), share_rest)


def alpha_beta(alpha: float, beta: float) -> LayerRule:
    """α times the shares by q_ij = (x_i w_ij)⁺ − β times those by (x_i w_ij)⁻, α − β = 1; Bach et al. 2015."""

    def rule(layer: Layer, relevance: Tensor, share_rest: bool) -> Tensor:
        positive, negative, bias = layer.weight.clamp(min=0), layer.weight.clamp(max=0), layer.bias_of(relevance)
        for_it = signed_parts(layer.x, positive, negative)
        above = None if bias is None else bias.clamp(min=0)
        shared = layer.share(alpha * relevance, for_it, above, share_rest)
        if not beta:
            return shared
        against = signed_parts(layer.x, negative, positive)
        below = None if bias is None else bias.clamp(max=0)
        return shared - layer.share(beta * relevance, against, below, share_rest)

    return rule


z_plus = alpha_beta(1, 0)


def gamma(layer: Layer, relevance: Tensor, share_rest: bool) -> Tensor:
    """q_ij = x_i w_ij, times 1 + γ where it has the sign of the output; Montavon et al. 2019.

    For outputs and inputs below 0 as Andéol et al. 2021 generalise it.
    """
    outputs, bias = layer.outputs(), layer.bias_of(relevance)
    more_positive = layer.weight + GAMMA * layer.weight.clamp(min=0)
    more_negative = layer.weight + GAMMA * layer.weight.clamp(max=0)
    above = None if bias is None else bias + GAMMA * bias.clamp(min=0)
    below = None if bias is None else bias + GAMMA * bias.clamp(max=0)
    of_positive, of_negative = relevance * (outputs > 0), relevance * (outputs < 0)
    shared = layer.share(of_positive, signed_parts(layer.x, more_positive, more_negative), above, share_rest)
    if bool(of_negative.any()):
        shared += layer.share(of_negative, signed_parts(layer.x, more_negative, more_positive), below, share_rest)
    return shared + layer.by_magnitude(relevance * (outputs == 0)) if share_rest else shared


def flat(layer: Layer, relevance: Tensor, share_rest: bool) -> Tensor:
    """q_ij = 1: every input of an output gets the same; Lapuschkin et al. 2019."""
    return layer.share(relevance, [(torch.ones_like(layer.x), torch.ones_like(layer.weight))], None, share_rest)


def box(layer: Layer, relevance: Tensor, share_rest: bool) -> Tensor:
    """q_ij = x_i w_ij − l_i w⁺_ij − h_i w⁻_ij, for l ≤ x ≤ h; Montavon et al. 2017."""
    assert layer.lowest is not None
    assert layer.highest is not None
    parts = [
        (layer.x, layer.weight),
        (-layer.lowest, layer.weight.clamp(min=0)),
        (-layer.highest, layer.weight.clamp(max=0)),
    ]
    return layer.share(relevance, parts, None, share_rest)


@dataclass(frozen=True)
class RuleSet:
    """Which rule which layer gets. `first` is for layers that see the picture itself; None: as all others."""

    convolution: LayerRule
    dense: LayerRule
    first: LayerRule | None = None

    def of(self, layer: Layer) -> LayerRule:
        if layer.is_first and self.first is not None:
            return self.first
        return self.dense if layer.dense else self.convolution


RULE_SETS = {
    "epsilon_plus_flat": RuleSet(z_plus, epsilon, flat),
    "epsilon_gamma_box": RuleSet(gamma, epsilon, box),
    "alpha2_beta1_flat": RuleSet(alpha_beta(2, 1), epsilon, flat),
    "excitation_backprop": RuleSet(z_plus, z_plus),
}


def signed_parts(x: Tensor, at_positive: Tensor, at_negative: Tensor) -> Parts:
    """Inputs above 0 with one set of weights, those below with another."""
    parts = [(x.clamp(min=0), at_positive)]
    return [*parts, (x.clamp(max=0), at_negative)] if bool((x < 0).any()) else parts
