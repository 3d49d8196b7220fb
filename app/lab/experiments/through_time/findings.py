"""What is often said of sums and means through time, held against the numbers of a run."""

from __future__ import annotations

from typing import Any

from ....contract.experiments import ExperimentFinding, Verdict
from . import ThroughTimeParameters

ROUNDING = 1e-6
"""Relative difference of weights up to which two trainings in float64 count as the same."""

EPSILON = 0.05
"""The same for Adam, whose ε of 1e-8 weighs T times as much beside a gradient that is T times smaller."""


def of_gradient(parameters: ThroughTimeParameters, found: dict[str, Any]) -> tuple[ExperimentFinding, ...]:
    """Findings on one gradient. A gradient of zero (radius 0, dead units) has no shares and gives none of them."""
    findings = []
    tolerance = 1e-5 if parameters.precision == "float32" else 1e-12
    added: Verdict = "holds" if found["parts_error"] is not None and found["parts_error"] <= tolerance else "fails"
    findings.append(_finding("added", added, found, "parts_error", length=parameters.length))
    if found["cosine_sum_mean"] is None:
        return tuple(findings)
    other: Verdict = "depends" if parameters.mixed_lengths else "fails"
    same: Verdict = "depends" if parameters.mixed_lengths else "holds"
    shares = ("far_share_sum", "far_share_mean", "cosine_sum_mean")
    findings.append(_finding("long_range", other, found, *shares, length=parameters.length))
    findings.append(
        _finding(
            "vanishing", other, found, "first_over_last_sum", "first_over_last_mean",
            length=parameters.length, jacobian=found["jacobian_norms"][0],
        )
    )  # fmt: skip
    findings.append(_finding("direction", same, found, "angle", "cosine_sum_mean", "mean_length"))
    cosine = found.get("truncation_cosine")
    if cosine is not None:
        verdict: Verdict = "holds" if cosine > 0.99 else "fails"
        findings.append(_finding("truncation", verdict, found, "truncation_cosine", truncation=parameters.truncation))
    return tuple(findings)


def of_training(parameters: ThroughTimeParameters, found: dict[str, Any]) -> tuple[ExperimentFinding, ...]:
    """Findings on whole trainings."""
    names = ("final_sum", "final_mean", "final_mean_scaled", "weights_gap_scaled", "weights_gap_mean", "mean_length")
    asked = {"steps": parameters.train_steps, "rate": parameters.rate}
    plain = parameters.optimiser == "sgd" and not parameters.mixed_lengths
    if parameters.optimiser == "sgd":
        findings = [_finding("trains", _same(found["weights_gap_scaled"], ROUNDING), found, *names, **asked)]
    else:
        findings = [_finding("trains_adam", _same(found["weights_gap_mean"], EPSILON), found, *names, **asked)]
    if plain and found["weights_gap_adam"] is not None:
        alike: Verdict = "holds" if found["weights_gap_adam"] <= EPSILON else "depends"
        findings.append(_finding("adam", alike, found, "weights_gap_adam", "final_adam", "final_adam_mean"))
    if parameters.loss == "last":
        ends = {name: value for name, value in found.items() if name.startswith("final_") and value is not None}
        if ends:
            best = min(ends.values())
            learned: Verdict = "holds" if best < found["constant_mse"] / 2 else "fails"
            findings.append(_finding("learned", learned, found, "constant_mse", best=best))
    return tuple(findings)


def _same(gap: float | None, tolerance: float) -> Verdict:
    """A claim of a difference fails where two trainings end with the same weights."""
    return "fails" if gap is not None and gap <= tolerance else "depends"


def _finding(name: str, verdict: Verdict, found: dict[str, Any], *keys: str, **more: float | None) -> ExperimentFinding:
    return ExperimentFinding(id=name, verdict=verdict, numbers={key: found[key] for key in keys} | more)
