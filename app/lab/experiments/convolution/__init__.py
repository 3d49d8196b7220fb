"""Why is a convolution's backward pass a convolution with the kernel turned round?"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from ...experiment import Experiment, Paper, Parameters, Try
from ...grids import Cell, InputGrid, UpstreamGrid, check_upstream, rectangular, rows_of, size

KernelGrid = Annotated[
    list[Annotated[list[Cell], Field(min_length=1, max_length=7)]],
    Field(min_length=1, max_length=7),
    BeforeValidator(rows_of),
    AfterValidator(rectangular),
]


class ConvolutionParameters(Parameters):
    input: InputGrid = Field([[1, 2, 0], [0, 1, 3], [2, 1, 1]], description="X, up to 16 × 16 numbers.")
    kernel: KernelGrid = Field([[1, 2], [3, 4]], description="W, up to 7 × 7 numbers.")
    stride: int = Field(1, ge=1, le=4, description="Steps from one window to the next.")
    padding: int = Field(0, ge=0, le=6, description="Rows and columns of zeros around the input.")
    dilation: int = Field(
        1, ge=1, le=4, validate_default=True, description="Distance between the places that a kernel's neighbours read."
    )
    bias: float = Field(0.0, ge=-100, le=100, description="Added to each output.")
    upstream: UpstreamGrid = Field(
        [],
        description="∂L/∂Y, a number for each output; empty: ones.",
        json_schema_extra={"follows": ["input", "kernel", "stride", "padding", "dilation"]},
    )

    @field_validator("dilation")
    @classmethod
    def _fits(cls, dilation: int, info: ValidationInfo) -> int:
        """The kernel lies within the input and its padding."""
        known = info.data
        if {"input", "kernel", "padding"} <= set(known):
            for name, side, length in zip(
                ("rows", "columns"), size(known["kernel"]), size(known["input"]), strict=True
            ):
                spanned, there = dilation * (side - 1) + 1, length + 2 * known["padding"]
                if spanned > there:
                    raise ValueError(f"the kernel spans {spanned} {name}, the input with its padding has {there}")
        return dilation

    @field_validator("upstream")
    @classmethod
    def _is_of_the_output(cls, upstream: list[list[float]], info: ValidationInfo) -> list[list[float]]:
        known = info.data
        if {"input", "kernel", "stride", "padding", "dilation"} <= set(known):
            check_upstream(upstream, *output_size(known))
        return upstream

    @property
    def output_size(self) -> tuple[int, int]:
        """Rows and columns of Y."""
        return output_size(self.__dict__)


def output_size(known: dict[str, object]) -> tuple[int, int]:
    """⌊(n + 2·padding − dilation·(k − 1) − 1) / stride⌋ + 1, for rows and for columns."""
    stride, padding, dilation = (int(str(known[name])) for name in ("stride", "padding", "dilation"))
    sides = zip(size(known["input"]), size(known["kernel"]), strict=True)  # type: ignore[arg-type]
    rows, columns = ((n + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for n, k in sides)
    return rows, columns


class Convolution(Experiment[ConvolutionParameters]):
    """Y = W ⋆ X + b of one channel, and ∂L/∂X, ∂L/∂W, ∂L/∂b of L = Σ G·Y, G = ∂L/∂Y, in float64.

    y[i, j] = b + Σ_uv W[u, v] · X[s·i + d·u − p, s·j + d·v − p] (a cross-correlation, as deep learning has it). Window
    by window: ∂L/∂X gets G[i, j] · W at the places of the window, ∂L/∂W gets G[i, j] times what the window reads, ∂L/∂b
    gets G[i, j]. The same by the turned kernel over G with s − 1 zeros between its numbers, by autograd and by central
    differences.
    """

    id = "convolution"
    order = 7
    parameters = ConvolutionParameters
    papers = (
        Paper("A guide to convolution arithmetic for deep learning (Dumoulin and Visin 2016)",
              "https://arxiv.org/abs/1603.07285"),
        Paper("Backpropagation applied to handwritten zip code recognition (LeCun et al. 1989)",
              "https://doi.org/10.1162/neco.1989.1.4.541"),
        Paper("Multi-scale context aggregation by dilated convolutions (Yu and Koltun 2016)",
              "https://arxiv.org/abs/1511.07122"),
    )  # fmt: skip
    tries = (
        Try("one", {
            "input": [[0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1]],
            "kernel": [[1, 0, -1], [2, 0, -2], [1, 0, -1]], "padding": 1,
            "upstream": [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]}),
        Try("stride", {
            "input": [[1, 2, 0, 1, 3], [0, 1, 3, 2, 1], [2, 1, 1, 0, 2], [1, 0, 2, 1, 1], [3, 1, 0, 2, 0]],
            "kernel": [[1, 2, 1], [0, 1, 0], [2, 0, 3]], "stride": 2}),
        Try("dilation", {
            "input": [[1, 2, 0, 1, 3], [0, 1, 3, 2, 1], [2, 1, 1, 0, 2], [1, 0, 2, 1, 1], [3, 1, 0, 2, 0]],
            "kernel": [[1, 2], [3, 4]], "dilation": 3, "padding": 1}),
    )  # fmt: skip

    def cost(self, parameters: ConvolutionParameters) -> float:
        """Seconds: a few small tensor operations for each window and each input."""
        rows, columns = parameters.output_size
        across, down = size(parameters.input)
        return 0.02 + 2e-4 * rows * columns + 2e-4 * across * down


EXPERIMENT = Convolution()
