"""Is the map the gradient? Slopes along random directions against central differences in float64."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from ...engine import Engine
from ...errors import Refused
from ...gradients import finite
from ...methods.base import Method, Paper, Parameters
from ...noise import noise
from ..base import CostInputs, ExplainedMap, Measurement, Meter, Metric, MetricCost, MetricSteps, register
from ..findings import Figures, Findings, percent
from ..networks import private_copy
from ..scalars import Scalar, size_of


class GradientCheckParameters(Parameters):
    directions: int = Field(16, title="Directions", ge=1, le=1000, description="Number of random directions")
    step: float = Field(
        1e-6,
        title="Step",
        gt=0,
        le=0.1,
        description="Half the distance between the two pictures whose scores are compared",
    )
    tolerance: float = Field(
        0.01, title="Tolerance", gt=0, le=1, description="Relative error of the slopes up to which the map passes"
    )


@register
class GradientCheck(Metric[GradientCheckParameters]):
    """⟨map, v⟩ against (S(x + h v) − S(x − h v)) / 2h, for random v of length 1; the right side in float64.

    On a private copy of the network in float64, so that h can be small enough to stay between the kinks of a ReLU
    network. Only the plain gradient is meant to pass: for any other method failing says what it is, not that it is
    wrong. Figures: `slopes` and `expected`, one for each direction; `relative_error`, ‖slopes − expected‖ / ‖expected‖
    (None where S is flat), and `passed`. Raises `Refused` where a map has one value for all channels of a place.
    """

    id = "gradient_check"
    title = "Gradient check"
    order = 6
    paper = Paper(
        "Automatic Differentiation in Machine Learning: a Survey (Baydin et al.)", "https://arxiv.org/abs/1502.05767"
    )
    summary = (
        "Whether the map is the gradient: its slopes along random directions, compared with differences of the score."
    )
    Parameters = GradientCheckParameters
    scalars = (
        Scalar(
            "gradient_check.relative_error", "Gradient check: relative error", "lower",
            "How far the map is from the gradient, by the score's slopes along random directions. Only the plain "
            "gradient is meant to pass.",
            size_of("relative_error"),
        ),
    )  # fmt: skip
    network = "double"

    def check(self, subject: ExplainedMap, parameters: GradientCheckParameters) -> None:
        if subject.method.single_channel:
            raise Refused(f"{subject.method.title} has one value for all channels of a place: it is no gradient.")

    def cost(self, cost_inputs: CostInputs, parameters: GradientCheckParameters) -> MetricCost:
        return MetricCost(forwards=2 * parameters.directions)

    def measure(self, subject: ExplainedMap, parameters: GradientCheckParameters) -> MetricSteps:
        copy = private_copy(subject.classifier).double()
        engine = Engine(copy, subject.score, micro_batch=max(1, subject.engine.micro_batch // 2))
        meter = Meter(self.cost(subject.cost_inputs, parameters))
        picture, values = subject.picture.double(), subject.values.double()
        slopes: list[float] = []
        expected: list[float] = []
        for batch in engine.batches(range(parameters.directions)):
            ways = torch.stack([direction(subject, k) for k in batch])
            pictures = torch.cat([picture + parameters.step * ways, picture - parameters.step * ways])
            above, below = finite(engine.scores(pictures)).chunk(2)
            expected += ((above - below) / (2 * parameters.step)).tolist()
            slopes += (ways * values).sum((1, 2, 3)).tolist()
            yield meter.spend(2 * len(batch))
        error = relative_error(torch.tensor(slopes), torch.tensor(expected))
        figures = {
            "slopes": slopes,
            "expected": expected,
            "relative_error": error,
            "passed": error is not None and error <= parameters.tolerance,
        }
        return Measurement(self.id, figures)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        """Only the plain gradient is meant to pass; of others it says what they are."""
        error = figures["relative_error"]
        if error is None:
            yield "flat", "note", {}
        elif figures["passed"]:
            yield "passed", "support", {"percent": percent(error)}
        elif method.relation_to_gradient == "gradient":
            yield "failed", "doubt", {"percent": percent(error)}
        else:
            kind = "parts" if method.additive else method.relation_to_gradient
            yield f"{kind}", "note", {"percent": percent(error)}


def direction(subject: ExplainedMap, index: int) -> Tensor:
    """A random direction of length 1, (C, H, W) in float64; the same for each seed and index."""
    drawn = noise(subject.seed, index, subject.picture.shape).to(subject.picture).double()
    return drawn.div(drawn.norm())


def relative_error(given: Tensor, expected: Tensor) -> float | None:
    """‖given − expected‖ / ‖expected‖; None where nothing is expected."""
    size = float(expected.norm())
    return float((given - expected).norm()) / size if size else None
