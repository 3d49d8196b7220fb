"""Runs the experiment: the pooling by its formula, then autograd, differences, and all kinds beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import torch
from torch import Tensor

from ....contract.experiments import TableData
from ...experiment import Figure, Update
from . import Kind, PoolingParameters
from .findings import findings
from .kinds import Formula, Pooled, by_torch, formula
from .pictures import check_figure, windows_figure

KINDS: tuple[Kind, ...] = get_args(Kind)
STEP = 1e-5
"""Of the differences, relative where an input is above 1."""


def run(parameters: PoolingParameters, seed: int) -> Iterator[Update]:
    """Only a stochastic pooling draws."""
    input = torch.tensor(parameters.input, dtype=torch.float64)
    pooled = Pooled.of(input, parameters.windows)
    said = formula(parameters.kind, pooled, parameters.p, seed)
    ones = torch.ones(parameters.windows.output, dtype=torch.float64)
    upstream = torch.tensor(parameters.upstream, dtype=torch.float64) if parameters.upstream else ones
    sent = upstream.flatten()[:, None] * said.slopes
    gradient = pooled.back(sent)
    figure = windows_figure(parameters, pooled, said, upstream, gradient)
    found: dict[str, Any] = {
        "output": pooled.grid(said.output).tolist(),
        "input_gradient": gradient.tolist(),
        "upstream": upstream.tolist(),
        "windows": len(said.output),
    }
    yield Update(1, 2, (figure,), found)
    checked = _checked(parameters, input, pooled, said, upstream, gradient)
    found |= checked | _reach(pooled, said, upstream, sent, gradient)
    figures = (figure, _kinds(parameters, input, seed), check_figure(gradient, checked))
    yield Update(2, 2, figures, found, findings(parameters, pooled, said, sent, found))


def _checked(
    parameters: PoolingParameters, input: Tensor, pooled: Pooled, said: Formula, upstream: Tensor, gradient: Tensor
) -> dict[str, Any]:
    """The same gradient by autograd and by central differences; the draw of a stochastic pooling stays the same."""
    drawn = pooled.places.gather(1, said.slopes.argmax(1, keepdim=True))[:, 0]

    def loss(values: Tensor) -> Tensor:
        return (upstream * by_torch(parameters, values, drawn)).sum()

    leaf = input.clone().requires_grad_()
    (exact,) = torch.autograd.grad(loss(leaf), leaf)
    right, left = (_one_sided(loss, input, sign) for sign in (1, -1))
    quotient = (right + left) / 2
    found: dict[str, Any] = {
        "autograd_gradient": exact.tolist(),
        "autograd_difference": _gap(gradient, exact),
        "quotient": quotient.tolist(),
        "quotient_difference": _gap(gradient, quotient),
        "kinks": int(((right - left).abs() > 1e-2 * (1 + quotient.abs())).sum()),
    }
    if parameters.kind == "soft" and said.weights is not None:
        shortcut = pooled.back(upstream.flatten()[:, None] * said.weights)
        found |= {"shortcut_gradient": shortcut.tolist(), "shortcut_difference": _gap(shortcut, quotient)}
    if parameters.kind == "stochastic":
        found |= _expected(input, pooled, said, upstream)
    return found


def _one_sided(loss: Any, input: Tensor, sign: int) -> Tensor:
    """(L(x + h) − L(x)) / h for each input; h is below 0 for the left side."""
    found, here = torch.zeros_like(input), float(loss(input))
    for row in range(input.shape[0]):
        for column in range(input.shape[1]):
            step = sign * STEP * max(1.0, abs(float(input[row, column])))
            moved = input.clone()
            moved[row, column] += step
            found[row, column] = (float(loss(moved)) - here) / float(moved[row, column] - input[row, column])
    return found


def _gap(one: Tensor, other: Tensor) -> float:
    """The largest difference, relative to the largest value where that is above 1."""
    return float((one - other).abs().max() / max(1.0, float(other.abs().max())))


def _expected(input: Tensor, pooled: Pooled, said: Formula, upstream: Tensor) -> dict[str, Any]:
    """The mean gradient over all draws, and the gradient of the mean output Σ pᵢaᵢ, in which pᵢ depends on a too."""
    leaf = input.clone().requires_grad_()
    values = torch.where(pooled.inside, leaf.flatten()[pooled.places], 0.0)
    above = values.clamp(min=0)
    total = above.sum(1)
    some = total > 0
    even = torch.where(pooled.inside, values, 0.0).sum(1) / pooled.inside.sum(1)
    output = torch.where(some, (above * values).sum(1) / torch.where(some, total, 1.0), even)
    (exact,) = torch.autograd.grad((upstream.flatten() * output).sum(), leaf)
    assert said.weights is not None
    mean = pooled.back(upstream.flatten()[:, None] * said.weights)
    return {
        "expected_output": pooled.grid(output.detach()).tolist(),
        "mean_gradient": mean.tolist(),
        "expected_gradient": exact.tolist(),
        "expected_difference": _gap(mean, exact),
    }


def _reach(pooled: Pooled, said: Formula, upstream: Tensor, sent: Tensor, gradient: Tensor) -> dict[str, Any]:
    """Who gets how much."""
    sizes = gradient.abs()
    largest = pooled.values.masked_fill(~pooled.inside, -torch.inf).amax(1, keepdim=True)
    elsewhere = (said.slopes != 0) & (pooled.values != largest)
    alone = ((said.slopes != 0).sum(1) == 1) & ~elsewhere.any(1)
    return {
        "reached": int((sizes > 0).sum()),
        "inputs": sizes.numel(),
        "largest_share": float(sizes.max() / sizes.sum()) if float(sizes.sum()) else 0.0,
        "to_largest": int(alone.sum()),
        "upstream_sum": float(upstream.sum()),
        "gradient_sum": float(gradient.sum()),
        "sent": pooled.back((sent != 0).to(sent.dtype)).long().tolist(),
    }


def _kinds(parameters: PoolingParameters, input: Tensor, seed: int) -> Figure:
    """All kinds on the same input, ones from above."""
    rows: list[list[str | float | int | None]] = []
    for kind in KINDS:
        asked = parameters.model_copy(update={"kind": kind, "upstream": []})
        windows = asked.windows
        if min(windows.output) < 1:  # what is asked is global, with a kernel that others cannot have
            continue
        pooled = Pooled.of(input, windows)
        said = formula(kind, pooled, parameters.p, seed)
        gradient = pooled.back(said.slopes)
        sizes = gradient.abs()
        share = float(sizes.max() / sizes.sum()) if float(sizes.sum()) else None
        rows.append([kind, float(said.output[0]), int((sizes > 0).sum()), share, float(gradient.sum())])
    columns = ["kind", "first_output", "reached", "largest_share", "gradient_sum"]
    return Figure("kinds", TableData(columns=columns, rows=rows))
