"""What a pooling's backward pass says, with its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ....contract.experiments import ExperimentFinding, Verdict
from . import PoolingParameters
from .kinds import Formula, Pooled

ENOUGH = 1e-9
"""A relative difference in float64 below this is rounding."""
SMOOTH = 1e-4
"""A difference quotient that is this near to a gradient checks it."""
Numbers = dict[str, float | int | str | None]


def findings(
    parameters: PoolingParameters, pooled: Pooled, said: Formula, sent: Tensor, found: dict[str, Any]
) -> tuple[ExperimentFinding, ...]:
    """Each claim that these parameters say something about."""
    listed = [_largest(found)]
    if parameters.kind == "soft":
        listed.append(_shortcut(found))
    if parameters.kind == "max":
        listed.append(_ties(pooled, found))
    if parameters.kind == "stochastic":
        listed.append(_expected(found))
    listed.append(_kept(found))
    listed += _added(pooled, sent, found)
    equal: Verdict = "holds" if found["autograd_difference"] <= ENOUGH else "fails"
    numbers: Numbers = {"difference": found["autograd_difference"], "windows": found["windows"]}
    listed.append(ExperimentFinding(id="autograd", verdict=equal, numbers=numbers))
    return tuple(listed)


def _largest(found: dict[str, Any]) -> ExperimentFinding:
    """Whether each window sends all to its largest input."""
    all_of_them, windows = found["to_largest"], found["windows"]
    verdict: Verdict = "holds" if all_of_them == windows else "depends" if all_of_them else "fails"
    numbers: Numbers = {
        "to_largest": all_of_them, "windows": windows, "reached": found["reached"], "inputs": found["inputs"],
        "share": found["largest_share"],
    }  # fmt: skip
    return ExperimentFinding(id="largest", verdict=verdict, numbers=numbers)


def _shortcut(found: dict[str, Any]) -> ExperimentFinding:
    """∂y/∂aᵢ = wᵢ leaves out that the weights depend on the inputs."""
    off, right = found["shortcut_difference"], found["quotient_difference"]
    numbers: Numbers = {"shortcut": off, "formula": right}
    return ExperimentFinding(id="shortcut", verdict="fails" if off > SMOOTH else "holds", numbers=numbers)


def _ties(pooled: Pooled, found: dict[str, Any]) -> ExperimentFinding:
    """Where several inputs of a window are the largest, whether they share what arrives."""
    values = pooled.values.masked_fill(~pooled.inside, -torch.inf)
    ties = int(((values == values.amax(1, keepdim=True)).sum(1) > 1).sum())
    numbers: Numbers = {"ties": ties, "windows": found["windows"], "difference": found["autograd_difference"],
                        "kinks": found["kinks"]}  # fmt: skip
    return ExperimentFinding(id="ties", verdict="fails" if ties else "depends", numbers=numbers)


def _expected(found: dict[str, Any]) -> ExperimentFinding:
    """Whether the mean gradient over the draws is the gradient of the mean output."""
    off = found["expected_difference"]
    return ExperimentFinding(id="expected", verdict="fails" if off > ENOUGH else "holds", numbers={"difference": off})


def _kept(found: dict[str, Any]) -> ExperimentFinding:
    """Whether as much arrives below as came from above."""
    above, below = found["upstream_sum"], found["gradient_sum"]
    same = abs(above - below) <= ENOUGH * max(1.0, abs(above))
    return ExperimentFinding(id="kept", verdict="holds" if same else "fails", numbers={"above": above, "below": below})


def _added(pooled: Pooled, sent: Tensor, found: dict[str, Any]) -> Iterator[ExperimentFinding]:
    """At the input to which most windows send: whether its slope is the sum or the mean of that.

    An input at a kink has no slope, and is passed over.
    """
    counts = torch.tensor(found["sent"])
    gradient, quotient = (torch.tensor(found[name], dtype=torch.float64) for name in ("autograd_gradient", "quotient"))
    smooth = (gradient - quotient).abs() <= SMOOTH * (1 + gradient.abs())
    counts = torch.where(smooth, counts, 0)
    uses = int(counts.max())
    if uses < 2:
        return
    row, column = divmod(int(counts.argmax()), counts.shape[1])
    total = float(pooled.back(sent)[row, column])
    slope, mean = float(quotient[row, column]), total / uses
    numbers: Numbers = {
        "row": row + 1, "column": column + 1, "uses": uses, "sum": total, "mean": mean, "quotient": slope,
    }  # fmt: skip
    far = abs(slope - total) > SMOOTH * (1 + abs(total))
    averaged = abs(slope - mean) < abs(slope - total)
    verdict: Verdict = "depends" if abs(total) <= ENOUGH else "holds" if averaged else "fails"
    yield ExperimentFinding(id="added", verdict="fails" if far else "holds", numbers=numbers)
    yield ExperimentFinding(id="averaged", verdict=verdict, numbers=numbers)
