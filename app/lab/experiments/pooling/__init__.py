"""Which inputs does a pooling send the gradient to?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from ...experiment import Experiment, Paper, Parameters, Try
from ...grids import InputGrid, UpstreamGrid, check_upstream, size

Kind = Literal["max", "average", "lp", "soft", "stochastic", "global"]
Side = Annotated[int, Field(ge=1, le=16)]


class PoolingParameters(Parameters):
    kind: Kind = Field("soft", description="What is made of the numbers of a window.")
    input: InputGrid = Field(
        [[1, 2], [3, 4]],
        description="Up to 16 × 16 numbers. A single row is pooled along it, by windows of 1 × kernel.",
    )
    kernel: Side = Field(2, validate_default=True, description="Side of a window.")
    stride: Side | Literal["kernel"] = Field("kernel", description="Steps from a window to the next, or as the kernel.")
    padding: int = Field(0, ge=0, le=8, description="Cells around the input, at most half the kernel.")
    p: float = Field(2.0, ge=1, le=100, description="Exponent of L_p pooling.")
    upstream: UpstreamGrid = Field(
        [],
        description="∂L/∂Y, a number for each output; empty: ones.",
        json_schema_extra={"follows": ["kind=global", "input", "kernel", "stride", "padding"]},
    )

    @field_validator("kernel")
    @classmethod
    def _fits(cls, kernel: int, info: ValidationInfo) -> int:
        """A window lies within the input. A global pooling has one window, the whole input."""
        if "input" in info.data and info.data.get("kind") != "global":
            sides = [side for side in size(info.data["input"]) if side > 1] or [1]
            if kernel > min(sides):
                raise ValueError(f"a window of {kernel} is larger than the input; its shorter side has {min(sides)}")
        return kernel

    @field_validator("padding")
    @classmethod
    def _is_at_most_half(cls, padding: int, info: ValidationInfo) -> int:
        """As PyTorch has it, so that each window reads a number of the input."""
        kernel = info.data.get("kernel", 2 * padding)
        if info.data.get("kind") != "global" and padding > kernel // 2:
            raise ValueError(f"at most half the kernel, {kernel // 2}")
        return padding

    @field_validator("upstream")
    @classmethod
    def _is_of_the_output(cls, upstream: list[list[float]], info: ValidationInfo) -> list[list[float]]:
        known = info.data
        if {"kind", "input", "kernel", "stride", "padding"} <= set(known):
            check_upstream(upstream, *Windows(**{name: known[name] for name in WINDOW}).output)
        return upstream

    @property
    def windows(self) -> Windows:
        """Where its windows lie."""
        return Windows(self.kind, self.input, self.kernel, self.stride, self.padding)


WINDOW = ("kind", "input", "kernel", "stride", "padding")


class Windows:
    """The sizes of windows, their steps, the padding and the output, each for rows and for columns."""

    def __init__(
        self, kind: Kind, input: list[list[float]], kernel: int, stride: int | Literal["kernel"], padding: int
    ) -> None:
        sides = size(input)
        whole = kind == "global"
        step = kernel if stride == "kernel" else stride
        flat = [side == 1 for side in sides]  # there is nothing to pool along this side
        self.kernel = sides if whole else _pair(flat, 1, kernel)
        self.stride = self.kernel if whole else _pair(flat, 1, step)
        self.padding = (0, 0) if whole else _pair(flat, 0, padding)
        spans = zip(sides, self.kernel, self.stride, self.padding, strict=True)
        rows, columns = ((side + 2 * edge - k) // s + 1 for side, k, s, edge in spans)
        self.output = rows, columns


def _pair(flat: list[bool], one: int, other: int) -> tuple[int, int]:
    return (one if flat[0] else other), (one if flat[1] else other)


class Pooling(Experiment[PoolingParameters]):
    """Y = pool(X) over the windows of one channel, and ∂L/∂X of L = Σ G·Y, G = ∂L/∂Y, in float64.

    With a₁ … aₙ in a window and y its output, ∂y/∂aᵢ is: max, 1 for the first of the largest and else 0; average,
    1/k², padding counted; L_p, y = (Σ|aᵢ|ᵖ)^(1/p): sign(aᵢ)·(|aᵢ|/y)^(p−1), 0 where y is; SoftPool, wᵢ = softmax(a)ᵢ,
    y = Σ wᵢaᵢ: wᵢ(1 + aᵢ − y); stochastic: 1 for the one that is drawn with probability max(aᵢ, 0)/Σ max(aⱼ, 0), evenly
    where none is above 0; global: the average of the whole input. Max, SoftPool and stochastic leave padding out.
    Windows that overlap add.
    """

    id = "pooling"
    order = 6
    parameters = PoolingParameters
    papers = (
        Paper("Refining activation downsampling with SoftPool (Stergiou et al. 2021)",
              "https://arxiv.org/abs/2101.00440"),
        Paper("Stochastic pooling for regularization of deep convolutional neural networks (Zeiler and Fergus 2013)",
              "https://arxiv.org/abs/1301.3557"),
        Paper("Learned-norm pooling for deep feedforward and recurrent neural networks (Gulcehre et al. 2014)",
              "https://arxiv.org/abs/1311.1780"),
        Paper("Network in network (Lin et al. 2014): global average pooling", "https://arxiv.org/abs/1312.4400"),
    )  # fmt: skip
    tries = (
        Try("ties", {"kind": "max", "input": [[5, 5, 1, 2], [5, 0, 2, 2], [1, 3, 4, 4], [3, 3, 0, 4]]}),
        Try("overlap", {"kind": "max", "kernel": 3, "stride": 1,
            "input": [[1, 0, 2, 1, 0], [2, 3, 1, 0, 2], [0, 1, 9, 2, 1], [1, 2, 0, 3, 1], [2, 0, 1, 1, 4]]}),
        Try("between", {"kind": "lp", "p": 8.0, "kernel": 2,
            "input": [[1, 2, 0, 1], [3, 4, 2, 5], [0, 1, 6, 2], [2, 7, 1, 3]]}),
        Try("chance", {"kind": "stochastic", "kernel": 3, "stride": 2, "padding": 1,
            "input": [[1, 0, 2, 1, 0], [2, 3, 1, 0, 2], [0, 1, 9, 2, 1], [1, 2, 0, 3, 1], [2, 0, 1, 1, 4]]}),
    )  # fmt: skip

    def cost(self, parameters: PoolingParameters) -> float:
        """Seconds: a few small tensor operations, for all kinds, and two passes for each input."""
        rows, columns = parameters.windows.output
        return 0.03 + 1e-4 * rows * columns


EXPERIMENT = Pooling()
