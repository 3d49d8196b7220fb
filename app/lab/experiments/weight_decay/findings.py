"""What is often said of weight decay, held against the numbers of a run."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....contract.experiments import ExperimentFinding, Verdict
from ...intervals import interval
from . import WeightDecayParameters
from .descent import KINDS, UNUSED, bowl
from .fit import DECAYS

ROUNDING = 1e-12
"""Weights in float64 that differ by no more than this share of the largest count as the same."""

NEAR = 0.05
"""An end within this share of the way from the loss's lowest point to the penalised one has arrived there."""


def of_paths(
    parameters: WeightDecayParameters, paths: dict[str, Tensor], found: dict[str, Any]
) -> tuple[ExperimentFinding, ...]:
    """Findings on the bowl; none on what has left all bounds."""
    said = []
    asked, factor = paths[parameters.kind], found["factor"]
    if (difference := found["l2_from_decoupled"]) is not None:
        largest = max(1.0, float(paths["decoupled"].abs().max()))
        same: Verdict = "holds" if difference <= ROUNDING * largest else "fails"
        numbers = {"difference": difference, "steps": parameters.steps, "factor": factor}
        said.append(ExperimentFinding(id="same", verdict=same, numbers=numbers))
    if abs(factor) <= 1 and found["unused"][-1] is not None:
        powers = UNUSED * factor ** torch.arange(parameters.steps + 1, dtype=torch.float64)
        shrinks: Verdict = "holds" if float((asked[:, 2] - powers).abs().max()) <= ROUNDING * UNUSED else "fails"
        numbers = {
            "start": UNUSED, "end": float(asked[-1, 2]), "expected": float(powers[-1]), "steps": parameters.steps,
            "factor": factor, "first": UNUSED - float(asked[1, 2]), "decayed": UNUSED * (1 - factor),
        }  # fmt: skip
        said.append(ExperimentFinding(id="shrinks", verdict=shrinks, numbers=numbers))
    apart = float((bowl(parameters).lowest(parameters.kind, parameters.decay) - bowl(parameters).minimum).norm())
    if apart > 0 and found["distance"] is not None:
        there: Verdict = "holds" if found["distance"] <= NEAR * apart else "fails"
        first, second = asked[-1, :2].tolist()
        numbers = {
            "first": first, "second": second, "distance": found["distance"], "apart": apart,
            "plain": found["distance_from_plain"],
        }  # fmt: skip
        said.append(ExperimentFinding(id="ends", verdict=there, numbers=numbers))
    return tuple(said)


def of_fits(parameters: WeightDecayParameters, weights: Tensor, held: Tensor) -> tuple[ExperimentFinding, ...]:
    """Findings on the fits: errors (kinds, seeds, decays) on held-out samples; none where they left all bounds."""
    means = held.mean(1)
    best: dict[str, int] = {kind: int(means[place].argmin()) for place, kind in enumerate(KINDS)}
    errors = {kind: held[place, :, best[kind]] for place, kind in enumerate(KINDS)}
    if not all(bool(one.isfinite().all()) for one in errors.values()):
        return ()
    said = [_zeros(parameters, weights, best)]
    l2, decoupled = errors["l2"], errors["decoupled"]
    gap = interval(decoupled - l2)
    alike = bool((decoupled - l2).abs().max() <= ROUNDING)
    numbers = {
        "l2": float(l2.mean()), "l2_decay": DECAYS[best["l2"]], "decoupled": float(decoupled.mean()),
        "decoupled_decay": DECAYS[best["decoupled"]], "difference": gap.mean, "low": gap.low,
        "high": gap.high, "seeds": len(l2),
    }  # fmt: skip
    better: Verdict = "fails" if alike or gap.low > 0 else "holds" if gap.high < 0 else "depends"
    said.append(ExperimentFinding(id="better_same" if alike else "better", verdict=better, numbers=numbers))
    without = held[KINDS.index(parameters.kind), :, 0]
    if bool(without.isfinite().all()):
        said.append(_helps(parameters, errors[parameters.kind], without, DECAYS[best[parameters.kind]]))
    return tuple(said)


def _helps(parameters: WeightDecayParameters, error: Tensor, without: Tensor, decay: float) -> ExperimentFinding:
    """The best λ's error against that without decay, seed by seed."""
    gap = interval(error - without)
    helps: Verdict = "holds" if gap.high < 0 else "fails" if gap.low >= 0 else "depends"
    numbers = {
        "error": float(error.mean()), "decay": decay, "without": float(without.mean()),
        "difference": gap.mean, "low": gap.low, "high": gap.high, "seeds": len(error),
    }  # fmt: skip
    return ExperimentFinding(id="helps", verdict=helps, numbers=numbers)


def _zeros(parameters: WeightDecayParameters, weights: Tensor, best: dict[str, int]) -> ExperimentFinding:
    """Weights at exactly 0, with the best λ of each kind: by the plain subgradient, and by proximal steps."""
    plain, proximal = (weights[KINDS.index(kind), :, best[kind]] for kind in ("l1", "proximal"))
    band = parameters.rate * DECAYS[best["l1"]]
    exact, exact_proximal = int((plain == 0).sum()), int((proximal == 0).sum())
    verdict: Verdict = "holds" if exact and exact_proximal else "depends" if exact_proximal else "fails"
    numbers = {
        "weights": plain.numel(), "exact": exact, "near": int((plain.abs() <= band).sum()), "band": band,
        "decay": DECAYS[best["l1"]], "proximal": exact_proximal, "proximal_decay": DECAYS[best["proximal"]],
    }  # fmt: skip
    return ExperimentFinding(id="zeros", verdict=verdict, numbers=numbers)
