"""Is the map the gradient? Slopes along random directions against differences of the score in float64."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from ...engine import Engine
from ...errors import Refused
from ...gradients import finite
from ...methods.base import Method, Paper, Parameters, Progress
from ...noise import noise
from ..base import CostInputs, ExplainedMap, Measurement, Meter, Metric, MetricCost, MetricSteps, register
from ..findings import Figures, Findings, percent
from ..networks import private_copy
from ..scalars import Scalar, size_of
from ..squares import SMALLEST, draw_square


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


@dataclass
class Slopes:
    """Slopes along directions, one of each for every direction: the map's, the score's ahead, and behind."""

    given: list[float] = field(default_factory=list)
    ahead: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)

    @property
    def expected(self) -> list[float]:
        """The central differences."""
        return [(ahead + behind) / 2 for ahead, behind in zip(self.ahead, self.behind, strict=True)]

    @property
    def size(self) -> float:
        """The root mean square of the central differences; if they cancel, the largest slope ahead."""
        return math.hypot(*self.expected) / math.sqrt(len(self.given)) or max(map(abs, self.ahead))

    def kinks(self, tolerance: float) -> list[bool]:
        """Whether the slopes ahead and behind differ by more than `tolerance` of the size of all slopes."""
        least = tolerance * self.size
        return [abs(ahead - behind) > least for ahead, behind in zip(self.ahead, self.behind, strict=True)]


@register
class GradientCheck(Metric[GradientCheckParameters]):
    """⟨map, v⟩ against (S(x + h v) − S(x − h v)) / 2h, for random v of length 1; the right side in float64.

    On a private copy of the network in float64, so that h can be small enough to stay between the kinks of a ReLU
    network. But a picture can lie on a kink: under a max pooling, all values of a flat area are equal. There the score
    has two slopes, ahead (S(x + h v) − S(x)) / h and behind (S(x) − S(x − h v)) / h, and a right gradient is that of
    one of the pieces that meet there. So the map's slope need not be the mean of the two. With one kink it lies between
    them; with several that partly cancel, it can lie somewhat beyond. If one of the first half of the directions meets
    a kink, the other half is drawn to avoid kinks. Every second one changes only a small square, which may contain no
    kink; the others add one colour to the whole picture, so that equal values stay equal.

    A map passes if its relative error over the directions without a kink is within the tolerance; if there are none,
    if its slopes lie no further beyond the other two than these are apart. Only the plain gradient is meant to pass:
    for any other method failing says what it is, not that it is wrong.

    Figures: `slopes`, `expected` (central differences), `ahead` and `behind`, one for each direction; `kinks`, the
    number of directions where `ahead` and `behind` differ by more than the tolerance × `Slopes.size`; `between`,
    of how many of these the map's slope lies between them; `relative_error`, ‖slopes − expected‖ / ‖expected‖ over the
    directions without a kink (None where there are none, or S is flat; the divisor is at least the tolerance × the size
    of all slopes); `passed`. Raises `Refused` where a map has one
    value for all channels of a place.
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
    revision = 2  # kinks
    scalars = (
        Scalar(
            "gradient_check.relative_error", "Gradient check: relative error", "lower",
            "How far the map is from the gradient, by the score's slopes along random directions that meet no kink. "
            "Only the plain gradient is meant to pass.",
            size_of("relative_error"),
        ),
    )  # fmt: skip
    network = "double"  # a copy in float64

    def check(self, subject: ExplainedMap, parameters: GradientCheckParameters) -> None:
        if subject.method.single_channel:
            raise Refused(f"{subject.method.title} has one value for all channels of a place: it is no gradient.")

    def cost(self, cost_inputs: CostInputs, parameters: GradientCheckParameters) -> MetricCost:
        return MetricCost(forwards=1 + 2 * parameters.directions)

    def measure(self, subject: ExplainedMap, parameters: GradientCheckParameters) -> MetricSteps:
        copy = private_copy(subject.classifier).double()
        engine = Engine(copy, subject.score, micro_batch=max(1, subject.engine.micro_batch // 2))
        meter = Meter(self.cost(subject.cost_inputs, parameters))
        here = float(finite(engine.scores(subject.picture.double()[None])))
        yield meter.spend(1)
        slopes, count = Slopes(), parameters.directions
        half = math.ceil(count / 2)
        yield from differences(slopes, subject, engine, meter, here, parameters.step, range(half))
        avoiding = any(slopes.kinks(parameters.tolerance))
        yield from differences(slopes, subject, engine, meter, here, parameters.step, range(half, count), avoiding)
        return Measurement(self.id, figures_of(slopes, parameters.tolerance))

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        """Only the plain gradient is meant to pass; of others it says what they are."""
        error, kinks = figures["relative_error"], figures["kinks"]
        values: Figures = {"kinks": kinks, "between": figures["between"], "directions": len(figures["slopes"])}
        if error is None and not kinks:
            yield "flat", "note", {}
            return
        if error is not None:
            values["percent"] = percent(error)
        if figures["passed"] and not kinks:
            yield "passed", "support", values
        elif figures["passed"]:
            yield "kink" if error is not None else "only_kinks", "note", values
        elif error is None:
            yield "failed_at_kinks", "doubt" if method.relation_to_gradient == "gradient" else "note", values
        elif method.relation_to_gradient == "gradient":
            yield "failed", "doubt", values
        else:
            yield kind_of(method), "note", values


def kind_of(method: Method[Any]) -> Literal["parts", "product", "gradient", "mean", "rule", "other"]:
    """What the values of a method are, instead of a gradient."""
    if method.additive:
        return "parts"
    return "product" if method.multiplies_by_inputs else method.relation_to_gradient


def differences(
    slopes: Slopes,
    subject: ExplainedMap,
    engine: Engine,
    meter: Meter,
    here: float,
    step: float,
    indices: range,
    avoiding: bool = False,
) -> Generator[Progress, None, None]:
    """Add the slopes along the directions of these indices; `here` is S(x), `avoiding` draws those that avoid kinks."""
    picture, values = subject.picture.double(), subject.values.double()
    for batch in engine.batches(indices):
        directions = torch.stack([direction(subject, k, avoiding) for k in batch])
        pictures = torch.cat([picture + step * directions, picture - step * directions])
        above, below = finite(engine.scores(pictures)).chunk(2)
        slopes.ahead += ((above - here) / step).tolist()
        slopes.behind += ((here - below) / step).tolist()
        slopes.given += (directions * values).sum((1, 2, 3)).tolist()
        yield meter.spend(2 * len(batch))


def figures_of(slopes: Slopes, tolerance: float) -> Figures:
    """The figures of these slopes."""
    kinks = slopes.kinks(tolerance)
    rows = list(zip(slopes.given, slopes.expected, slopes.ahead, slopes.behind, kinks, strict=True))
    smooth = [(given, expected) for given, expected, _, _, kink in rows if not kink]
    error = None
    if smooth and slopes.size:
        error_norm, size = (math.hypot(*column) for column in zip(*((g - e, e) for g, e in smooth), strict=True))
        error = error_norm / max(size, tolerance * slopes.size * math.sqrt(len(smooth)))
    beyond = [
        (max(0.0, given - max(ahead, behind), min(ahead, behind) - given), abs(ahead - behind))
        for given, _, ahead, behind, kink in rows
        if kink
    ]
    passes_at_kinks = bool(beyond) and all(distance <= width for distance, width in beyond)
    return {
        "slopes": slopes.given,
        "expected": slopes.expected,
        "ahead": slopes.ahead,
        "behind": slopes.behind,
        "kinks": len(beyond),
        "between": sum(distance == 0 for distance, _ in beyond),
        "relative_error": error,
        "passed": passes_at_kinks if error is None else error <= tolerance,
    }


def direction(subject: ExplainedMap, index: int, avoiding: bool = False) -> Tensor:
    """A random direction of length 1, (C, H, W) in float64; the same for each seed and index.

    To avoid kinks: of even indices within a square of an eighth of the picture's side, of odd ones a single colour.
    """
    drawn = noise(subject.seed, index, subject.picture.shape).to(subject.picture).double()
    if avoiding and index % 2:
        drawn = drawn[:, :1, :1].expand_as(drawn)
    elif avoiding:
        drawn = drawn * draw_square(subject.size, subject.seed, index, SMALLEST).mask(drawn)
    return drawn.div(drawn.norm())
