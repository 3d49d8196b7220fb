"""Runs the experiment: the unit descends with both losses from the same start."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from ....contract.experiments import Axis, ExperimentFinding, LinesData, Number, Series, Verdict, finite
from ...experiment import Figure, Update
from ...values import numbers
from . import SaturationParameters
from .unit import ACTIVATIONS, Descent, descend, loss_of, slope, target

LEARNED = 0.1
"""An error below this counts as learned."""

FLAT = 0.1
"""A slope below this share of the steepest counts as saturated."""


def run(parameters: SaturationParameters, seed: int) -> Iterator[Update]:
    """Nothing is drawn: the seed changes nothing."""
    bounded = parameters.activation in ("sigmoid", "tanh")
    descents = {
        loss: descend(
            parameters.activation, loss, parameters.weight, parameters.bias, parameters.rate, parameters.steps
        )
        for loss in (("squared", "cross_entropy") if bounded else ("squared",))
    }
    found = _numbers(parameters, descents)
    figures = (_curve(parameters), _errors(descents), _gradients(parameters, bounded))
    yield Update(1, 1, figures, found, _findings(parameters, descents, found))


def _numbers(parameters: SaturationParameters, descents: dict[str, Descent]) -> dict[str, Any]:
    asked = descents[parameters.loss]
    start = torch.tensor(asked.places[0], dtype=torch.float64)
    z = torch.linspace(-10, 10, 2001, dtype=torch.float64)
    first_slope = float(slope(ACTIVATIONS[parameters.activation], start))
    found: dict[str, Any] = {
        "errors": numbers(asked.errors),
        "gradients": numbers(asked.gradients),
        "first_gradient": finite(asked.gradients[0]),
        "first_error": finite(asked.errors[0]),
        "first_slope": first_slope,
        "slope_share": first_slope / float(slope(ACTIVATIONS[parameters.activation], z).max()),
    }
    for loss, one in descents.items():
        learned = [step for step, error in enumerate(one.errors) if error < LEARNED]
        found[f"final_{loss}"] = finite(one.errors[-1])
        found[f"steps_{loss}"] = learned[0] if learned else None
    return found


def _findings(
    parameters: SaturationParameters, descents: dict[str, Descent], found: dict[str, Any]
) -> tuple[ExperimentFinding, ...]:
    asked = descents[parameters.loss]
    # a linear unit at too high a rate leaves all bounds
    usable = [step for step, gradient in enumerate(asked.gradients) if math.isfinite(gradient)]
    steepest = max(usable, key=lambda step: abs(asked.gradients[step]))
    first, most = abs(asked.gradients[0]), abs(asked.gradients[steepest])
    wrong_first: Verdict = "holds" if first >= most else "fails"
    flat: Verdict = "holds" if found["slope_share"] < FLAT else "fails"
    said = [
        ExperimentFinding(id="wrong_first", verdict=wrong_first, numbers={
            "first": first, "error": asked.errors[0], "most": most, "step": steepest,
            "later_error": asked.errors[steepest]}),
        ExperimentFinding(id="saturated", verdict=flat, numbers={
            "z": asked.places[0], "slope": found["first_slope"], "share": found["slope_share"]}),
    ]  # fmt: skip
    if "cross_entropy" not in descents:
        return tuple(said)
    crossed = descents["cross_entropy"]
    gap = max(abs(abs(one) - error) for one, error in zip(crossed.gradients, crossed.errors[:-1], strict=True))
    exact: Verdict = "holds" if gap <= 1e-12 else "fails"
    said.append(ExperimentFinding(id="exact", verdict=exact, numbers={"gap": gap, "first": crossed.gradients[0]}))
    sooner: Verdict = "holds" if found["final_cross_entropy"] < found["final_squared"] else "fails"
    ends = {"squared": found["final_squared"], "cross_entropy": found["final_cross_entropy"]}
    said.append(ExperimentFinding(id="sooner", verdict=sooner, numbers=ends | {"steps": parameters.steps}))
    return tuple(said)


def _curve(parameters: SaturationParameters) -> Figure:
    """The function and its derivative, and where the unit starts."""
    function = ACTIVATIONS[parameters.activation]
    start = parameters.weight + parameters.bias
    z = torch.linspace(min(-6.0, start - 1), max(6.0, start + 1), 241, dtype=torch.float64)
    here = torch.tensor([start], dtype=torch.float64)
    data = LinesData(
        x=Axis(id="z"),
        y=Axis(id="output"),
        series=[
            Series(id="function", x=numbers(z), y=numbers(function(z))),
            Series(id="derivative", x=numbers(z), y=numbers(slope(function, z))),
            Series(
                id="start", x=[start, start], y=[float(function(here)), float(slope(function, here))], style="points"
            ),
        ],
    )
    return Figure("curve", data)


def _errors(descents: dict[str, Descent]) -> Figure:
    steps: list[Number] = list(range(len(next(iter(descents.values())).errors)))
    series = [Series(id=loss, x=steps, y=numbers(one.errors)) for loss, one in descents.items()]
    return Figure("errors", LinesData(x=Axis(id="step"), y=Axis(id="error"), series=series))


def _gradients(parameters: SaturationParameters, bounded: bool) -> Figure:
    """|∂L/∂z| over |a − y|, for every place of the unit, not for the places of this run alone."""
    activation = parameters.activation
    z = torch.linspace(-8, 8, 321, dtype=torch.float64)
    errors = (ACTIVATIONS[activation](z) - target(activation)).abs()
    order = errors.argsort()
    series = [
        Series(id=loss, x=numbers(errors[order]), y=numbers(_slope_of_loss(parameters, loss, z).abs()[order]))
        for loss in (("squared", "cross_entropy") if bounded else ("squared",))
    ]
    return Figure("gradients", LinesData(x=Axis(id="error"), y=Axis(id="gradient"), series=series))


def _slope_of_loss(parameters: SaturationParameters, loss: str, z: torch.Tensor) -> torch.Tensor:
    return slope(lambda place: loss_of(parameters.activation, loss, place), z)
