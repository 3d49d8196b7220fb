"""Each kind of pooling by its formula, forward and backward, and once more by PyTorch's own functions for autograd."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, max_pool2d, pad

from . import Kind, PoolingParameters, Windows


@dataclass(frozen=True)
class Pooled:
    """All windows of an input. `places` and `values` have a row for each window and a column for each cell of it.

    `inside` says which cells are of the input; those of the padding hold 0.
    """

    windows: Windows
    size: tuple[int, int]
    rows: list[list[int]]
    columns: list[list[int]]
    """Rows and columns of the input that each window reads, from −padding on."""
    places: Tensor
    values: Tensor
    inside: Tensor

    @classmethod
    def of(cls, input: Tensor, windows: Windows) -> Pooled:
        (height, width), (down, across) = input.shape, windows.output
        starts = [
            [index * step - edge for index in range(count)]
            for count, step, edge in zip(windows.output, windows.stride, windows.padding, strict=True)
        ]
        rows = [[start + u for u in range(windows.kernel[0])] for start in starts[0] for _ in range(across)]
        columns = [[start + v for v in range(windows.kernel[1])] for _ in range(down) for start in starts[1]]
        y, x = torch.tensor(rows)[:, :, None], torch.tensor(columns)[:, None, :]
        inside = ((y >= 0) & (y < height) & (x >= 0) & (x < width)).flatten(1)
        places = (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)).flatten(1)
        values = torch.where(inside, input.flatten()[places], 0.0)
        return cls(windows, (height, width), rows, columns, places, values, inside)

    def back(self, local: Tensor) -> Tensor:
        """∂L/∂X: what every window sends to each cell, added up. What falls on the padding goes nowhere."""
        total = local.new_zeros(self.size[0] * self.size[1])
        total.index_add_(0, self.places[self.inside], local[self.inside])
        return total.reshape(self.size)

    def grid(self, values: Tensor) -> Tensor:
        """A number of each window as the output's grid."""
        return values.reshape(self.windows.output)


@dataclass(frozen=True)
class Formula:
    """What the formulas say of each window: its output, and ∂y/∂a for each of its cells."""

    output: Tensor
    slopes: Tensor
    weights: Tensor | None = None
    """SoftPool's weights, or the probabilities of a stochastic pooling."""


def formula(kind: Kind, pooled: Pooled, p: float, seed: int) -> Formula:
    """Forward and backward of a kind of pooling, by its formula."""
    a, inside = pooled.values, pooled.inside
    if kind == "max":
        # argmax of PyTorch names any of equals: the first is the one that no earlier one reaches
        largest = a.masked_fill(~inside, -torch.inf).amax(1, keepdim=True)
        first = ((a == largest) & inside).long().cumsum(1).eq(1) & (a == largest) & inside
        return Formula(largest[:, 0], first.to(a.dtype))
    if kind in ("average", "global"):
        return Formula(a.mean(1), torch.full_like(a, 1 / a.shape[1]))
    if kind == "lp":
        return _lp(a, p)
    if kind == "soft":
        weights = a.masked_fill(~inside, -torch.inf).softmax(1)
        output = (weights * a).sum(1)
        return Formula(output, weights * (1 + a - output[:, None]), weights)
    probabilities = _probabilities(pooled)
    drawn = torch.multinomial(probabilities, 1, generator=torch.Generator().manual_seed(seed))
    return Formula(a.gather(1, drawn)[:, 0], torch.zeros_like(a).scatter(1, drawn, 1.0), probabilities)


def _lp(a: Tensor, p: float) -> Formula:
    """(Σ|aᵢ|ᵖ)^(1/p), computed relative to the largest so that no power is too large."""
    most = a.abs().amax(1, keepdim=True)
    share = torch.where(most > 0, a.abs() / most, 0.0)
    norm = share.pow(p).sum(1, keepdim=True).pow(1 / p)
    slopes = torch.where(most > 0, a.sign() * (share / norm).pow(p - 1), 0.0)
    return Formula((most * norm)[:, 0], slopes)


def _probabilities(pooled: Pooled) -> Tensor:
    """max(a, 0) over its sum; where none is above 0, all cells of the input alike."""
    above = pooled.values.clamp(min=0) * pooled.inside
    none = above.sum(1, keepdim=True) == 0
    weights = torch.where(none, pooled.inside.to(above.dtype), above)
    return weights / weights.sum(1, keepdim=True)


def by_torch(parameters: PoolingParameters, input: Tensor, drawn: Tensor) -> Tensor:
    """The output by PyTorch's functions, differentiable. `drawn`: the place of the stochastic choice of each window."""
    windows, kind = parameters.windows, parameters.kind
    batch, (rows, columns) = input[None, None], windows.padding
    if kind == "global":
        return adaptive_avg_pool2d(batch, 1)[0, 0]
    if kind == "max":
        return max_pool2d(batch, windows.kernel, windows.stride, windows.padding)[0, 0]
    if kind == "average":
        return avg_pool2d(batch, windows.kernel, windows.stride, windows.padding)[0, 0]
    if kind == "stochastic":
        return input.flatten()[drawn].reshape(windows.output)
    inside, cells = (
        pad(one, (columns, columns, rows, rows))
        .unfold(0, windows.kernel[0], windows.stride[0])
        .unfold(1, windows.kernel[1], windows.stride[1])
        .flatten(2)
        for one in (torch.ones_like(input), input)
    )
    if kind == "soft":
        return (cells.masked_fill(inside == 0, -torch.inf).softmax(2) * cells).sum(2)
    most = cells.detach().abs().amax(2, keepdim=True)
    most = torch.where(most > 0, most, 1.0)  # a constant: it keeps powers from becoming too large
    norm: Tensor = most[..., 0] * torch.linalg.vector_norm(cells / most, parameters.p, dim=2)
    return norm
