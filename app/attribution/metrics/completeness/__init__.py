"""Does the map share out what there was to share, no more and no less?"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict, cast

from pydantic import Field, ValidationError

from ...errors import Refused
from ...methods.base import CompletenessError, Method, Paper, Parameters, Progress
from ..base import CostInputs, ExplainedMap, Measurement, Metric, MetricCost, MetricSteps, register
from ..findings import Figures, Findings, Level, percent, short
from ..scalars import Scalar, size_of

EXACT = ("steps", "samples")  # parameters of which more may make a method's sum more exact
HELPED = 0.75  # of the error with half of the gradients: if all of them leave no more, they have helped


class CompletenessParameters(Parameters):
    tolerance: float = Field(
        0.05,
        title="Tolerance",
        gt=0,
        le=1,
        description="Relative error of the sum up to which the map counts as complete",
    )


class Remedy(TypedDict):
    """The method's parameter of which more may make the sum more exact, and what is known of that."""

    parameter: str
    value: int
    most: bool  # whether there can be no more
    helps: bool | None  # whether the sum was further off with half of the gradients; None if that is not known
    tolerance: bool  # whether the method can be given one instead, with its other parameters as they are


class CompletenessFigures(CompletenessError):
    complete: NotRequired[bool]
    remedy: NotRequired[Remedy | None]


@register
class Completeness(Metric[CompletenessParameters]):
    """Σ map against S(x) − S(x′), of methods whose map shares out the change of the score from a baseline x′.

    Sundararajan, Taly, Yan 2017, arXiv:1703.01365; from the map's own diagnostics, so it costs nothing. Figures:
    `expected`, `attributed`, and `relative_error`, signed; None with a `reason` where there is next to nothing to share
    out; `half_error` with half of the gradients, `standard_error` over random samples, as the map's own record has
    them. `complete`; where it is not, `remedy`: see `Remedy`. It promises nothing: the error of a path need not fall
    when there are more steps, as where the score jumps between two of them. Raises `Refused` for methods that are not
    complete in the first place.
    """

    id = "completeness"
    title = "Completeness"
    order = 5
    paper = Paper(
        "Axiomatic Attribution for Deep Networks (Sundararajan, Taly, Yan)", "https://arxiv.org/abs/1703.01365"
    )
    summary = "Whether the map sums to the change of the score that it explains."
    Parameters = CompletenessParameters
    revision = 2  # what helps is measured
    scalars = (
        Scalar(
            "completeness.relative_error", "Completeness: relative error, without its sign", "lower",
            "How far the map's sum is from the change of the score that it shares out. More steps often make it "
            "smaller, not always.",
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
                figures["remedy"] = remedy(subject, figures)
        return Measurement(self.id, figures)

    def findings(self, figures: Figures, method: Method[Any]) -> Findings:
        """With what helps where the sum is poor."""
        error = figures["relative_error"]
        values = {name: short(figures[name]) for name in ("expected", "attributed")}
        if error is None:
            yield "nothing", "note", values
            return
        values["percent"] = percent(abs(error))
        if parts := figures.get("parts"):
            found: tuple[str, Level] = ("parts", "support") if figures["complete"] else ("poor_parts", "doubt")
            yield *found, {**values, "parts": parts}
            return
        if figures["complete"]:
            yield "holds", "support", values
            return
        remedy, standard_error = figures.get("remedy"), figures.get("standard_error")
        if remedy is not None and standard_error is not None:
            yield "poor_samples", "doubt", {**values, "value": remedy["value"], "error": percent(standard_error)}
        elif remedy is not None and remedy["helps"] is not None:
            code = "poor_steps" if remedy["helps"] else "poor_steps_no_help"
            yield code, "doubt", {**values, "value": remedy["value"], "half": percent(figures["half_error"])}
        else:
            yield "poor", "doubt", values


def remedy(subject: ExplainedMap, figures: CompletenessFigures) -> Remedy | None:
    """What might make the sum more exact; None if the method has no parameter for it."""
    parameters = subject.parameters
    fields = type(parameters).model_fields
    name = next((name for name in EXACT if name in fields), None)
    if name is None:
        return None
    value, error, half = getattr(parameters, name), abs(figures["relative_error"] or 0.0), figures.get("half_error")
    most = next(bound.le for bound in fields[name].metadata if hasattr(bound, "le"))
    return {
        "parameter": name,
        "value": value,
        "most": value >= most,
        "helps": None if half is None else error <= HELPED * half,
        "tolerance": "tolerance" in fields and not parameters.tolerance and _allows_tolerance(subject),
    }


def _allows_tolerance(subject: ExplainedMap) -> bool:
    """Whether the method takes a tolerance beside its other parameters: some rules do not."""
    try:
        type(subject.parameters).model_validate({**subject.parameters.model_dump(), "tolerance": 0.05})
    except ValidationError:
        return False
    return True
