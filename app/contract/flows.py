"""Gradient flow: the gradient's norm at every layer of a model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .metrics import Finding
from .predictions import ClassBody
from .wire import WireModel


class ExcerptBody(WireModel):
    """A piece of one channel of what goes into a pooling. Each window within it is one of the pooling's own."""

    channel: int = Field(description="the one whose values times their gradients are largest")
    row: int = Field(description="where the piece begins: around the place where that product is largest")
    column: int
    values: list[list[float]] = Field(description="at most 16 × 16, to four significant digits")
    kernel: int | None = Field(description="side of a window; null where one window covers the whole map")
    stride: int
    padding: int = Field(description="around the piece; if not 0, the piece is the whole map")


class PoolingBody(WireModel):
    how: Literal["maximum", "average"]
    received: float = Field(description="share of its inputs whose gradient is not 0")
    map: list[list[float]] | None = Field(
        description="the same by place, as rows of cells; null where the input is no feature map"
    )
    excerpt: ExcerptBody | None = Field(
        None, description="what goes in, for a few windows; null where it is unknown, or windows are not square"
    )


class FlowLayer(WireModel):
    name: str = Field(description="the module's; with the operation after a colon where it is no module's output")
    kind: str = Field(description="the module's type, or the operation")
    operation: str
    call: int = Field(description="1, or more where a module is called again")
    shape: list[int] = Field(description="of the output, without the pictures' axis")
    norm: float | None = Field(description="L2 norm of the score's gradient there; null where it is not finite")
    rms: float | None = Field(description="the norm over the root of the number of elements")
    dead: float | None = Field(description="share of outputs that are exactly 0 with slope 0; null but for rectifiers")
    dead_units: float | None = Field(description="share of channels, or units, that are dead at every place")
    saturated: float | None = Field(
        description="share of outputs at another flat end: slope 0, or at most 1 % of the steepest; null where there "
        "is none"
    )
    pooling: PoolingBody | None
    into: list[int] = Field(description="places in this list of the layers that take its output")
    sum: bool = Field(False, description="whether it takes, or is, a sum of several layers' outputs, as of a residual")


class GradientFlow(WireModel):
    model: str
    target: ClassBody
    against: ClassBody | None
    score: str
    size: list[int] = Field(description="height, width of what the model saw")
    layers: list[FlowLayer] = Field(description="in the order in which they are computed; the picture first")
    findings: list[Finding] = Field(description="where the gradient vanishes, in plain words")
