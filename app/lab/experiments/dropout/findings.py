"""What is often said of dropout, held against the numbers of a run."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ....contract.experiments import ExperimentFinding, Verdict
from ...intervals import interval
from . import DropoutParameters

ROUNDING = 1e-12
"""Probabilities in float64 that differ by no more count as the same."""


def of_masks(parameters: DropoutParameters, found: dict[str, Any]) -> tuple[ExperimentFinding, ...]:
    """Findings on all masks of one network, and on one backward pass."""
    gaps = {key: found[key] for key in ("geometric_gap", "arithmetic_gap", "masks")} | {"layers": parameters.layers}
    if found["geometric_gap"] > ROUNDING:
        average: Verdict = "fails"
    else:
        average = "holds" if found["arithmetic_gap"] <= ROUNDING else "depends"
    scaled: Verdict = "holds" if found["backward_gap"] <= ROUNDING else "fails"
    off = max(abs(one - 1) for one in found["mean_factor"])
    said = [
        ExperimentFinding(id="average", verdict=average, numbers=gaps),
        ExperimentFinding(id="scaled_back", verdict=scaled, numbers={
            "factor": 1 / (1 - parameters.p), "dropped": found["mask"].count(0), "gap": found["backward_gap"],
            "units": parameters.units, "off": off}),
    ]  # fmt: skip
    difference = found["mean_gradient_difference"]
    if difference is not None:
        same: Verdict = "holds" if difference <= ROUNDING else "fails"
        numbers = {"difference": difference, "masks": found["masks"]}
        said.append(ExperimentFinding(id="mean_gradient", verdict=same, numbers=numbers))
    return tuple(said)


def of_training(parameters: DropoutParameters, errors: dict[str, Tensor]) -> tuple[ExperimentFinding, ...]:
    """Three comparisons, each over the same seeds: dropout's error less the other's."""
    scaled = errors["scaled"]
    others = {"one_network": errors["single"], "many": errors["bagging"][:, -1], "scaling": errors["sampled"][:, -1]}
    return tuple(_compared(parameters, claim, scaled, other) for claim, other in others.items())


def _compared(parameters: DropoutParameters, claim: str, scaled: Tensor, other: Tensor) -> ExperimentFinding:
    """Holds where dropout errs less, fails where it errs more, on all of the interval; else the seeds cannot tell."""
    gap = interval(scaled - other)
    verdict: Verdict = "holds" if gap.high < 0 else "fails" if gap.low > 0 else "depends"
    numbers: dict[str, float | int | str | None] = {
        "dropout": float(scaled.mean()), "other": float(other.mean()), "difference": gap.mean,
        "low": gap.low, "high": gap.high, "seeds": len(scaled), "nets": parameters.nets,
    }  # fmt: skip
    return ExperimentFinding(id=claim, verdict=verdict, numbers=numbers)
