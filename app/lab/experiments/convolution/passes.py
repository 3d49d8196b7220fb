"""A convolution forward and backward, window by window, and backward again by the turned kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from . import ConvolutionParameters


@dataclass(frozen=True)
class Window:
    """One place of the kernel. `rows` and `columns` are those of the input that it reads, from −padding on."""

    row: int
    column: int
    rows: list[int]
    columns: list[int]
    reads: Tensor
    """What it reads of the input and its padding, of the kernel's size."""
    upstream: float
    """∂L/∂y of its output."""

    def to_input(self, kernel: Tensor) -> Tensor:
        """What it adds to ∂L/∂X at the places that it reads: ∂L/∂y · W."""
        return self.upstream * kernel

    def to_kernel(self) -> Tensor:
        """What it adds to ∂L/∂W: ∂L/∂y times what it reads."""
        return self.upstream * self.reads


@dataclass(frozen=True)
class Gradients:
    """∂L/∂X, ∂L/∂W and ∂L/∂b."""

    input: Tensor
    kernel: Tensor
    bias: Tensor


class Convolved:
    """The convolution that the parameters describe, in float64."""

    def __init__(self, parameters: ConvolutionParameters) -> None:
        self.stride, self.padding, self.dilation = parameters.stride, parameters.padding, parameters.dilation
        self.input = torch.tensor(parameters.input, dtype=torch.float64)
        self.kernel = torch.tensor(parameters.kernel, dtype=torch.float64)
        self.bias = torch.tensor(parameters.bias, dtype=torch.float64)
        ones = torch.ones(parameters.output_size, dtype=torch.float64)
        self.upstream = torch.tensor(parameters.upstream, dtype=torch.float64) if parameters.upstream else ones
        self.padded = pad(self.input, (self.padding,) * 4)

    def windows(self) -> Iterator[Window]:
        """All windows, row by row."""
        (down, across), (height, width) = self.upstream.shape, self.kernel.shape
        for row in range(down):
            rows = [row * self.stride + self.dilation * u for u in range(height)]
            for column in range(across):
                columns = [column * self.stride + self.dilation * v for v in range(width)]
                yield Window(
                    row,
                    column,
                    [place - self.padding for place in rows],
                    [place - self.padding for place in columns],
                    self.padded[rows][:, columns],
                    float(self.upstream[row, column]),
                )

    def forward(self, windows: list[Window]) -> Tensor:
        """Y: in each window the sum of products, and the bias."""
        values = [(window.reads * self.kernel).sum() + self.bias for window in windows]
        return torch.stack(values).reshape(self.upstream.shape)

    def backward(self, windows: list[Window]) -> Gradients:
        """What all windows add. What falls on the padding goes nowhere."""
        padded, kernel = torch.zeros_like(self.padded), torch.zeros_like(self.kernel)
        for window in windows:
            rows = torch.tensor(window.rows)[:, None] + self.padding
            padded[rows, torch.tensor(window.columns) + self.padding] += window.to_input(self.kernel)
            kernel += window.to_kernel()
        return Gradients(self.inside(padded), kernel, self.upstream.sum())

    def inside(self, padded: Tensor) -> Tensor:
        """Without the padding."""
        (rows, columns), edge = self.input.shape, self.padding
        return padded[edge : edge + rows, edge : edge + columns]

    def spaced(self) -> Tensor:
        """∂L/∂Y with stride − 1 zeros between its numbers."""
        (rows, columns), stride = self.upstream.shape, self.stride
        spread = self.upstream.new_zeros((rows - 1) * stride + 1, (columns - 1) * stride + 1)
        spread[::stride, ::stride] = self.upstream
        return spread

    def by_kernel(self, kernel: Tensor) -> Tensor:
        """∂L/∂X as a convolution of the spaced ∂L/∂Y, zeros around it, with `kernel`: the turned one, if it is right.

        Rows and columns at the far end that no window reads stay 0.
        """
        around = [self.dilation * (side - 1) for side in self.kernel.shape]
        canvas = pad(self.spaced(), (around[1], around[1], around[0], around[0]))
        found = conv2d(canvas[None, None], kernel[None, None], dilation=self.dilation)[0, 0]
        padded = torch.zeros_like(self.padded)
        padded[: found.shape[0], : found.shape[1]] = found
        return self.inside(padded)

    @property
    def turned(self) -> Tensor:
        """The kernel turned round by half a turn."""
        return self.kernel.flip(0, 1)

    def size_without_zeros(self) -> tuple[int, int]:
        """Rows and columns of that convolution where no zeros are put between, before the padding is cut off."""
        rows, columns = (
            n + self.dilation * (k - 1) for n, k in zip(self.upstream.shape, self.kernel.shape, strict=True)
        )
        return rows, columns

    def kernel_by_input(self) -> Tensor:
        """∂L/∂W as a convolution of the input with ∂L/∂Y: stride and dilation change places."""
        found = conv2d(self.padded[None, None], self.upstream[None, None], stride=self.dilation, dilation=self.stride)[
            0, 0
        ]
        return found[: self.kernel.shape[0], : self.kernel.shape[1]]  # more where the last rows are read by no window

    def loss(self, input: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        """L = Σ ∂L/∂Y · Y by PyTorch's own convolution."""
        output = conv2d(input[None, None], kernel[None, None], bias[None], self.stride, self.padding, self.dilation)[
            0, 0
        ]
        return (self.upstream * output).sum()

    def autograd(self) -> Gradients:
        """The gradients that PyTorch computes."""
        leaves = [one.clone().requires_grad_() for one in (self.input, self.kernel, self.bias)]
        return Gradients(*torch.autograd.grad(self.loss(*leaves), leaves))

    def quotient(self, row: int, column: int, step: float = 1e-3) -> float:
        """The central difference of L for one input. L is linear in it: only rounding is lost."""
        nudge = torch.zeros_like(self.input)
        nudge[row, column] = step
        ends = [float(self.loss(self.input + sign * nudge, self.kernel, self.bias)) for sign in (1, -1)]
        return (ends[0] - ends[1]) / (2 * step)
