"""What is often said of binary networks, and what the run says."""

from __future__ import annotations

from typing import Any

import torch

from ....contract.experiments import ExperimentFinding, Verdict
from ...intervals import Interval, interval
from . import BinaryParameters
from .estimators import ESTIMATORS, ede_t, signs
from .training import PROGRESSES, Training

STEP = 1e-3
"""h of the difference quotient of sign."""


def of_sign(parameters: BinaryParameters, found: dict[str, Any]) -> ExperimentFinding:
    """Beside the difference quotients of sign: 0 at 1, 1/h at 0."""
    places = torch.tensor([0.0, 1.0], dtype=torch.float64)
    quotients = ((signs(places + STEP) - signs(places - STEP)) / (2 * STEP)).tolist()
    slopes = found["derivative"]
    # EDE comes close where t is large: nearly 0 at 1. At 0 sign has no derivative that anything could equal.
    close = abs(slopes["1"] - quotients[1]) < 0.01 and slopes["0"] > 1
    return ExperimentFinding(id="derivative", verdict="depends" if close else "fails", numbers={
        "at_zero": slopes["0"], "at_one": slopes["1"], "sign_at_zero": quotients[0], "sign_at_one": quotients[1],
        "step": STEP})  # fmt: skip


def findings(parameters: BinaryParameters, training: Training, found: dict[str, Any]) -> tuple[ExperimentFinding, ...]:
    said = [_truer(parameters, training), _reached(parameters, found), _information(parameters, training),
            _error(parameters, training)]  # fmt: skip
    if parameters.train_steps:
        said += [
            _learned(parameters, training, found),
            _trains(parameters, training),
            _balanced_trains(parameters, training),
        ]
    return tuple(said)


def _truer(parameters: BinaryParameters, training: Training) -> ExperimentFinding:
    """EDE's correlation with the flips over the progress: whether it grows to the end."""
    ede = training.agreements[ESTIMATORS.index("ede")]
    means = ede.mean(1)
    best = int(means.argmax())
    change = interval(ede[-1] - ede[0])
    rising = best == len(PROGRESSES) - 1
    verdict: Verdict = "fails" if change.high < 0 else "holds" if rising and change.low > 0 else "depends"
    return ExperimentFinding(id="truer", verdict=verdict, numbers={
        "start": float(means[0]), "end": float(means[-1]), "best": float(means[best]), "progress": PROGRESSES[best],
        "t": ede_t(parameters.t_min, parameters.t_max, PROGRESSES[best]), "t_min": parameters.t_min,
        "t_max": parameters.t_max, **_ends("change", change)})  # fmt: skip


def _reached(parameters: BinaryParameters, found: dict[str, Any]) -> ExperimentFinding:
    verdict: Verdict = "fails" if found["silent"] > 0 else "depends" if found["silent_at_end"] > 0 else "holds"
    return ExperimentFinding(id="reached", verdict=verdict, numbers={
        "silent": found["silent"], "at_end": found["silent_at_end"], "progress": parameters.progress})  # fmt: skip


def _learned(parameters: BinaryParameters, training: Training, found: dict[str, Any]) -> ExperimentFinding:
    """How many binary weights another sign than at the start, and what that was good for."""
    asked = ESTIMATORS.index(parameters.estimator)
    start = training.accuracies[0][asked]
    gain = interval(training.accuracy[asked] - start)
    verdict: Verdict = "fails" if gain.low > 0 and found["flipped"] > 0 else "depends"
    return ExperimentFinding(id="learned", verdict=verdict, numbers={
        "flipped": found["flipped"], "updates": parameters.train_steps, "start": float(start.mean()),
        "accuracy": found["accuracy"], "seeds": parameters.seeds})  # fmt: skip


def _with_and_without(parameters: BinaryParameters, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Values (groups, seeds) of the asked estimator's networks: balanced, and not."""
    asked, other = values[ESTIMATORS.index(parameters.estimator)], values[len(ESTIMATORS)]
    return (asked, other) if parameters.balanced else (other, asked)


def _compared(name: str, balanced: torch.Tensor, plain: torch.Tensor, sign: int = 1) -> ExperimentFinding:
    """Whether balance makes more of it (sign 1), or less (sign −1), by the differences within a seed."""
    gain = interval(sign * (balanced - plain))
    return ExperimentFinding(id=name, verdict=gain.verdict, numbers={
        "balanced": float(balanced.mean()), "plain": float(plain.mean()), **_ends("gain", gain)})  # fmt: skip


def _information(parameters: BinaryParameters, training: Training) -> ExperimentFinding:
    said = _compared("information", *_with_and_without(parameters, training.entropies[-1]))
    start = _with_and_without(parameters, training.entropies[0])
    more = {"balanced_start": float(start[0].mean()), "plain_start": float(start[1].mean())}
    return said.model_copy(update={"numbers": said.numbers | more})


def _error(parameters: BinaryParameters, training: Training) -> ExperimentFinding:
    return _compared("error", *_with_and_without(parameters, training.errors[-1]), sign=-1)


def _balanced_trains(parameters: BinaryParameters, training: Training) -> ExperimentFinding:
    return _compared("balanced_trains", *_with_and_without(parameters, training.accuracy))


def _trains(parameters: BinaryParameters, training: Training) -> ExperimentFinding:
    """EDE, which ends nearest to sign, against the straight-through estimator, which is farthest from it."""
    straight, clipped, tanh, ede = training.accuracy[: len(ESTIMATORS)]
    gain, over_clipped = interval(ede - straight), interval(ede - clipped)
    return ExperimentFinding(id="trains", verdict=gain.verdict, numbers={
        "straight": float(straight.mean()), "clipped": float(clipped.mean()), "tanh": float(tanh.mean()),
        "ede": float(ede.mean()), **_ends("gain", gain), **_ends("over_clipped", over_clipped),
        "seeds": parameters.seeds})  # fmt: skip


def _ends(name: str, value: Interval) -> dict[str, float]:
    return {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
