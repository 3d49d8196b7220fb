"""What an explanation would cost: evaluations and seconds, per method and metric."""

from __future__ import annotations

from pydantic import Field

from .wire import WireModel


class MetricEstimate(WireModel):
    metric: str
    forwards: int
    gradients: int
    seconds: float | None = Field(description="by what was measured on this model, or tried for this estimate")


class EstimateBody(WireModel):
    method: str
    gradient_evaluations: int
    seconds: float | None = Field(description="by the pace last measured on this model; null before")
    metrics: list[MetricEstimate] = Field([], description="of those asked for; none where the method is refused")


class Estimates(WireModel):
    model: str
    estimates: list[EstimateBody]
