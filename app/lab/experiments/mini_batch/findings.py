"""What is often said of batches, held against the numbers of a run."""

from __future__ import annotations

from typing import Any

from ....contract.experiments import ExperimentFinding, Verdict
from . import MiniBatchParameters

NEAR = 0.1
"""Relative difference of two losses up to which neither is called better: another seed moves them as much."""

ROUNDING = 1e-10
"""Relative difference of two gradients in float64 up to which they count as the same."""


def of_gradients(parameters: MiniBatchParameters, found: dict[str, Any]) -> tuple[ExperimentFinding, ...]:
    """Findings on one batch."""
    lowest, highest = min(found["weights"]), max(found["weights"])
    same: Verdict = "fails"
    if found["difference"] <= ROUNDING:
        same = "holds"
    elif abs(found["cosine"] - 1) <= ROUNDING:
        same = "depends"
    alike: Verdict = "holds" if highest / lowest < 1 + 1e-12 else "fails"
    keys = ("difference", "cosine", "length_ratio")
    said = [
        ExperimentFinding(id="accumulating", verdict=same, numbers={key: found[key] for key in keys}),
        ExperimentFinding(
            id="alike",
            verdict=alike,
            numbers={"lowest": lowest, "highest": highest, "right": found["right_weight"],
                     "smallest": min(parameters.sizes), "largest": max(parameters.sizes)},
        ),
    ]  # fmt: skip
    if parameters.batch_norm:
        gap = found["normalised_difference"]
        kept: Verdict = "holds" if gap <= ROUNDING else "fails"
        numbers = {"difference": gap, "parts": len(parameters.sizes)}
        said.append(ExperimentFinding(id="normalised", verdict=kept, numbers=numbers))
    if found["noise_scale"] is not None:
        worth: Verdict = "holds" if parameters.large_batch <= found["noise_scale"] else "fails"
        numbers = {"noise_scale": found["noise_scale"], "batch": parameters.large_batch}
        said.append(ExperimentFinding(id="worth", verdict=worth, numbers=numbers))
    return tuple(said)


def of_training(parameters: MiniBatchParameters, found: dict[str, Any]) -> tuple[ExperimentFinding, ...]:
    """Findings on the two trainings: the same samples, the same updates."""
    small, large = found["small_at_samples"], found["large_at_samples"]
    if small is None or large is None:
        return ()
    near: Verdict = "holds" if abs(large / small - 1) <= NEAR else "fails"
    sizes = {"small_batch": parameters.small_batch, "large_batch": parameters.large_batch}
    numbers = {"small": small, "large": large, "samples": found["samples"]} | sizes
    said = [ExperimentFinding(id="by_sample", verdict=near, numbers=numbers)]
    small, large = found["small_early"], found["large_early"]  # in the end both may have come as far as they can
    if small is not None and large is not None:
        better: Verdict = "holds" if large < (1 - NEAR) * small else "fails"
        ends = {"small_end": found["small_at_updates"], "large_end": found["large_at_updates"]}
        numbers = (
            {"early": found["early"], "small": small, "large": large, "updates": parameters.updates} | ends | sizes
        )
        said.append(ExperimentFinding(id="by_update", verdict=better, numbers=numbers))
    return tuple(said)
