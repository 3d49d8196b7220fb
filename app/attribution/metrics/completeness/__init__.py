"""Does the map share out what there was to share, no more and no less?"""

from __future__ import annotations

import math
from typing import Any, NotRequired, TypedDict, cast

from pydantic import Field

from ...errors import Refused
from ...methods.base import CompletenessError, Method, Paper, Parameters, Progress
from ..base import CostInputs, ExplainedMap, Measurement, Metric, MetricCost, MetricSteps, register
from ..findings import Figures, Findings, percent, short
from ..scalars import Scalar, size_of

# Parameter of a method that makes its sum more exact, and the power of it with which the error falls
EXACT = {"steps": 1.0, "samples": 0.5}


class CompletenessParameters(Parameters):
    tolerance: float = Field(
        0.05,
        title="Tolerance",
        gt=0,
        le=1,
        description="Relative error of the sum up to which the map counts as complete",
    )


class Remedy(TypedDict):
    """The method's parameter that makes the sum more exact: its value, and a better one where there is any."""

    parameter: str
    value: int
    suggested: int | None
    tolerance: bool  # whether the method can be given one instead


class CompletenessFigures(CompletenessError):
    complete: NotRequired[bool]
    remedy: NotRequired[Remedy | None]


@register
class Completeness(Metric[CompletenessParameters]):
    """Σ map against S(x) − S(x′), of methods whose map shares out the change of the score from a baseline x′.

    Sundararajan, Taly, Yan 2017, arXiv:1703.01365; from the map's own diagnostics, so it costs nothing. Figures:
    `expected`, `attributed`, and `relative_error`, signed; None with a `reason` where there is next to nothing to share
    out. `complete`; where it is not, `remedy`: the method's parameter (`steps` or `samples`), its `value`, and
    `suggested`, a value at which the error should be within the tolerance (it falls about like 1/steps or 1/√samples),
    no more than the parameter may be; `tolerance`, whether the method can be given one instead.
    Raises `Refused` for methods that are not complete in the first place.
    """

    id = "completeness"
    title = "Completeness"
    order = 5
    paper = Paper(
        "Axiomatic Attribution for Deep Networks (Sundararajan, Taly, Yan)", "https://arxiv.org/abs/1703.01365"
    )
    summary = "Whether the map sums to the change of the score that it explains."
    Parameters = CompletenessParameters
    scalars = (
        Scalar(
            "completeness.relative_error", "Completeness: relative error, without its sign", "lower",
            "How far the map's sum is from the change of the score that it shares out. More steps make it smaller.",
            size_of("relative_error"),
        ),
    )  # fmt: skip

    def check(self, subject: ExplainedMap, parameters: CompletenessParameters) -> None:
        if "completeness" not in subject.diagnostics:
            raise Refused(f"{subject.method.title} does not share out a change of the score: its sum means nothing.")

    def cost(self, cost_inputs: CostInputs, parameters: CompletenessParameters) -> MetricCost:
        return MetricCost()

    def measure(self, subject: ExplainedMap, parameters: CompletenessParameters) -> MetricSteps:
        yield Progress(0, 0)
        figures = cast(CompletenessFigures, dict(subject.diagnostics["completeness"]))
        error = figures["relative_error"]
        if error is not None:
            figures["complete"] = abs(error) <= parameters.tolerance
            if not figures["complete"]:
                figures["remedy"] = remedy(subject, abs(error) / parameters.tolerance)
        return Measurement(self.id, figures)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        """With what helps where the sum is poor."""
        error = figures["relative_error"]
        values = {name: short(figures[name]) for name in ("expected", "attributed")}
        if error is None:
            yield "nothing", "note", values
            return
        values["percent"] = percent(abs(error))
        if figures["complete"]:
            yield "holds", "support", values
            return
        remedy = figures.get("remedy")
        if remedy is None or remedy["suggested"] is None:
            yield "poor", "doubt", values
        else:
            values |= {"value": remedy["value"], "suggested": remedy["suggested"]}
            yield f"poor_{remedy['parameter']}", "doubt", values


def remedy(subject: ExplainedMap, excess: float) -> Remedy | None:
    """What to ask for instead, where the error is so many times what it may be."""
    fields = type(subject.parameters).model_fields
    for name, power in EXACT.items():
        if name in fields:
            value = getattr(subject.parameters, name)
            most = next(bound.le for bound in fields[name].metadata if hasattr(bound, "le"))
            suggested = min(rounded(value * excess ** (1 / power)), most)
            return {
                "parameter": name,
                "value": value,
                "suggested": suggested if suggested > value else None,
                "tolerance": "tolerance" in fields,
            }
    return None


def rounded(count: float) -> int:
    """`count` rounded up to its first digit, or to half of ten of it: 130 → 150, 570 → 600."""
    unit = 10 ** math.floor(math.log10(count)) // 2 or 1
    return math.ceil(count / unit) * unit
