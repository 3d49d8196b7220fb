"""Runs the experiment: forward and backward window by window, then the same by the turned kernel and by autograd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ....contract.experiments import TableData
from ...experiment import Figure, Update
from . import ConvolutionParameters
from .findings import findings
from .passes import Convolved, Gradients, Window
from .pictures import backward_figure, windows_figure


def run(parameters: ConvolutionParameters, seed: int) -> Iterator[Update]:
    """Nothing is drawn: the seed changes nothing."""
    convolved = Convolved(parameters)
    windows = list(convolved.windows())
    output, gradients = convolved.forward(windows), convolved.backward(windows)
    window_figure = windows_figure(convolved, windows, output, gradients)
    found: dict[str, Any] = {
        "output": output.tolist(),
        "input_gradient": gradients.input.tolist(),
        "kernel_gradient": gradients.kernel.tolist(),
        "bias_gradient": float(gradients.bias),
        "upstream": convolved.upstream.tolist(),
        "windows": len(windows),
    }
    yield Update(1, 2, (window_figure,), found)
    found |= _checked(convolved, windows, gradients)
    figures = (window_figure, backward_figure(convolved), _check(convolved, gradients))
    yield Update(2, 2, figures, found, findings(convolved, found))


def gap(one: Tensor, other: Tensor) -> float:
    """The largest difference, relative to the largest value where that is above 1."""
    return float((one - other).abs().max() / max(1.0, float(other.abs().max())))


def _checked(convolved: Convolved, windows: list[Window], gradients: Gradients) -> dict[str, Any]:
    """What the same gradients are by other ways, and how often each input is used."""
    exact = convolved.autograd()
    pairs = ((gradients.input, exact.input), (gradients.kernel, exact.kernel), (gradients.bias, exact.bias))
    uses = torch.zeros_like(convolved.input)
    for window in windows:
        rows = [row for row in window.rows if 0 <= row < uses.shape[0]]
        columns = [column for column in window.columns if 0 <= column < uses.shape[1]]
        uses[torch.tensor(rows, dtype=torch.long)[:, None], torch.tensor(columns, dtype=torch.long)] += 1
    row, column = divmod(int(uses.argmax()), uses.shape[1])
    return {
        "autograd_difference": max(gap(*pair) for pair in pairs),
        "turned_difference": gap(convolved.by_kernel(convolved.turned), exact.input),
        "unturned_difference": gap(convolved.by_kernel(convolved.kernel), exact.input),
        "kernel_by_input_difference": gap(convolved.kernel_by_input(), exact.kernel),
        "uses": uses.long().tolist(),
        "most_used": [row, column],
        "quotient": convolved.quotient(row, column),
    }


def _check(convolved: Convolved, gradients: Gradients) -> Figure:
    """Each gradient in each way: how far it is from autograd."""
    exact = convolved.autograd()
    turned, by_input = convolved.by_kernel(convolved.turned), convolved.kernel_by_input()
    rows: list[list[str | float | int | None]] = [
        ["input_gradient", gap(gradients.input, exact.input), gap(turned, exact.input)],
        ["kernel_gradient", gap(gradients.kernel, exact.kernel), gap(by_input, exact.kernel)],
        ["bias_gradient", gap(gradients.bias, exact.bias), None],
    ]
    return Figure("check", TableData(columns=["gradient", "by_windows", "by_convolution"], rows=rows))
