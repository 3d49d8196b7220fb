"""What a convolution's backward pass says, with its numbers."""

from __future__ import annotations

from typing import Any

from ....contract.experiments import ExperimentFinding, Verdict
from .passes import Convolved

ENOUGH = 1e-9
"""A relative difference in float64 below this is rounding."""


def findings(convolved: Convolved, found: dict[str, Any]) -> tuple[ExperimentFinding, ...]:
    """Each claim that these parameters say something about."""
    gap = found["autograd_difference"]
    by_input = found["kernel_by_input_difference"]
    equal: Verdict = "holds" if gap <= ENOUGH else "fails"
    swapped: Verdict = "holds" if by_input <= ENOUGH else "fails"
    upstream = {"stride": convolved.stride, "dilation": convolved.dilation, "difference": by_input}
    return (
        _turned(convolved, found),
        *_added(found),
        ExperimentFinding(id="kernel", verdict=swapped, numbers=upstream),
        _bias(found),
        ExperimentFinding(id="autograd", verdict=equal, numbers={"difference": gap, "windows": found["windows"]}),
    )


def _turned(convolved: Convolved, found: dict[str, Any]) -> ExperimentFinding:
    """Whether a convolution with the turned kernel gives ∂L/∂X: with a stride only after zeros are put between."""
    gap, between = found["turned_difference"], convolved.stride - 1
    rows, columns = convolved.size_without_zeros()
    needed = convolved.padded.shape
    numbers: dict[str, float | int | str | None] = {
        "difference": gap, "unturned": found["unturned_difference"], "zeros": between, "stride": convolved.stride,
        "rows": rows, "columns": columns, "height": needed[0], "width": needed[1],
    }  # fmt: skip
    spread = between > 0 and max(convolved.upstream.shape) > 1
    verdict: Verdict = "fails" if gap > ENOUGH else "depends" if spread else "holds"
    return ExperimentFinding(id="turned", verdict=verdict, numbers=numbers)


def _added(found: dict[str, Any]) -> tuple[ExperimentFinding, ...]:
    """At the input that most windows use: whether its slope is the sum or the mean of what they send."""
    row, column = found["most_used"]
    uses, total = found["uses"][row][column], found["input_gradient"][row][column]
    if uses < 2:
        return ()
    mean, quotient = total / uses, found["quotient"]
    numbers: dict[str, float | int | str | None] = {
        "row": row + 1, "column": column + 1, "uses": uses, "sum": total, "mean": mean, "quotient": quotient,
    }  # fmt: skip
    far = abs(quotient - total) > 1e-6 * max(1.0, abs(total))
    averaged = abs(quotient - mean) < abs(quotient - total)
    verdict: Verdict = "depends" if total == 0 else "holds" if averaged else "fails"
    return (
        ExperimentFinding(id="added", verdict="fails" if far else "holds", numbers=numbers),
        ExperimentFinding(id="averaged", verdict=verdict, numbers=numbers),
    )


def _bias(found: dict[str, Any]) -> ExperimentFinding:
    """∂L/∂b is the sum of what arrives, over all windows."""
    arrived = [value for row in found["upstream"] for value in row]
    total, gradient = sum(arrived), found["bias_gradient"]
    numbers: dict[str, float | int | str | None] = {
        "windows": len(arrived), "sum": total, "mean": total / len(arrived), "gradient": gradient,
    }  # fmt: skip
    same = abs(gradient - total) <= ENOUGH * max(1.0, abs(total))
    return ExperimentFinding(id="bias", verdict="holds" if same else "fails", numbers=numbers)
