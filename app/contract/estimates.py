"""What an explanation would cost: evaluations and seconds, per method and metric."""

from __future__ import annotations

from pydantic import Field

from .wire import WireModel


class MetricEstimate(WireModel):
    metric: str
    forwards: int
    gradients: int
    seconds: float | None = Field(
        description="from what was measured on this model, or timed for this estimate; null if neither was possible"
    )


class EstimateBody(WireModel):
    method: str
    gradient_evaluations: int
    seconds: float | None = Field(description="from the throughput last measured on this model; null before the first")
    metrics: list[MetricEstimate] = Field([], description="of each requested metric; empty if the method is refused")


class Estimates(WireModel):
    model: str
    estimates: list[EstimateBody]
