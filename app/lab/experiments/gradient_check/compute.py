"""Runs the experiment: every scheme over every step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, get_args

import torch

from ....contract.experiments import Axis, ExperimentFinding, LinesData, Series, Verdict, finite
from ...experiment import Figure, Update
from ...values import numbers
from . import POINTS, GradientCheckParameters, Scheme
from .schemes import difference, error, function, gradient

STEPS = [10 ** (-power / 4) for power in range(4, 65)]
"""From 1e-1 to 1e-16, four to a power of ten."""


RIGHT = 1e-2
"""A smallest error above this: no step is right."""

LEAST = 1e-18
"""Errors below this are 0 to rounding, and are not drawn: a theory would stretch the axis far beyond them."""


def run(parameters: GradientCheckParameters, seed: int) -> Iterator[Update]:
    """Only the network is drawn."""
    f = function(parameters.function, seed)
    dtype = torch.float32 if parameters.precision == "float32" else torch.float64
    place = torch.tensor(parameters.point or POINTS[parameters.function], dtype=dtype)
    exact = gradient(f, place)
    steps = sorted({*(parameters.steps or STEPS), parameters.step}, reverse=True)
    errors = {scheme: [error(difference(f, place, scheme, step), exact) for step in steps] for scheme in SCHEMES}
    found = _numbers(parameters, steps, errors[parameters.scheme], exact)
    sides = [float(difference(f, place, "one_sided", sign * parameters.step)[0]) for sign in (1, -1)]
    found |= {"from_right": finite(sides[0] + 0.0), "from_left": finite(sides[1] + 0.0)}
    figures = (_errors(steps, errors, float(torch.finfo(dtype).eps)), _shape(parameters, f, place))
    yield Update(1, 1, figures, found, _findings(parameters, found))


SCHEMES: tuple[Scheme, ...] = get_args(Scheme)


def _numbers(
    parameters: GradientCheckParameters, steps: list[float], errors: list[float], exact: torch.Tensor
) -> dict[str, Any]:
    best = min(range(len(steps)), key=lambda place: errors[place])
    return {
        "errors": {repr(step): finite(one) for step, one in zip(steps, errors, strict=True)},
        "error": errors[steps.index(parameters.step)],
        "best_step": steps[best],
        "best_error": errors[best],
        "smallest_step": steps[-1],
        "smallest_step_error": errors[-1],
        "gradient": numbers(exact),
        "truncation_slope": _slope(steps[:best], errors[:best], errors[best]),
        "rounding_slope": _slope(steps[best + 1 :], errors[best + 1 :], errors[best]),
    }


def _slope(steps: list[float], errors: list[float], lowest: float) -> float | None:
    """Least squares of log error over log step; None where there are fewer than four errors above zero.

    Near the lowest error both kinds mix, and an error of 1 is a difference that found nothing at all, x + h = x:
    neither tells a slope.
    """
    points = [(math.log(h), math.log(e)) for h, e in zip(steps, errors, strict=True) if 10 * lowest < e < 0.5]
    if len(points) < 4:
        return None
    x, y = ([point[i] for point in points] for i in range(2))
    middle, height = sum(x) / len(x), sum(y) / len(y)
    return sum((a - middle) * (b - height) for a, b in points) / sum((a - middle) ** 2 for a in x)


def _findings(parameters: GradientCheckParameters, found: dict[str, Any]) -> tuple[ExperimentFinding, ...]:
    smaller: Verdict = "holds" if found["smallest_step_error"] <= 2 * found["best_error"] else "fails"
    if found["best_error"] > RIGHT:
        smaller = "depends"
    said = [
        ExperimentFinding(id="smaller", verdict=smaller, numbers={
            key: found[key] for key in ("best_step", "best_error", "smallest_step", "smallest_step_error")})
    ]  # fmt: skip
    if found["truncation_slope"] is not None and found["rounding_slope"] is not None:
        expected = {"one_sided": 1, "central": 2, "complex": 2}[parameters.scheme]
        near = abs(found["truncation_slope"] - expected) < 0.3 and abs(found["rounding_slope"] + 1) < 0.3
        slopes = {"truncation": found["truncation_slope"], "rounding": found["rounding_slope"], "order": expected}
        said.append(ExperimentFinding(id="slopes", verdict="holds" if near else "depends", numbers=slopes))
    right, left = found["from_right"], found["from_left"]
    apart = abs(right - left)
    kink: Verdict = "fails" if apart > 0.01 * max(1.0, abs(right), abs(left)) else "holds"
    sides = {"right": right, "left": left, "step": parameters.step, "gradient": found["gradient"][0]}
    said.append(ExperimentFinding(id="smooth", verdict=kink, numbers=sides))
    agrees: Verdict = "holds" if found["error"] < 1e-5 else "fails"
    told = {"error": found["error"], "step": parameters.step}
    said.append(ExperimentFinding(id="agrees", verdict=agrees, numbers=told))
    return tuple(said)


def _errors(steps: list[float], errors: dict[Scheme, list[float]], rounding: float) -> Figure:
    steps = steps[::-1]  # a figure is read from left to right
    errors = {scheme: one[::-1] for scheme, one in errors.items()}
    series = [Series(id=scheme, x=numbers(steps), y=numbers(one, positive=True)) for scheme, one in errors.items()]
    series.append(Series(id="rounding", x=numbers(steps), y=numbers(rounding / h for h in steps), style="dashed"))
    series.append(Series(id="square", x=numbers(steps), y=numbers(h * h / 6 for h in steps), style="dashed"))
    return Figure(
        "errors", LinesData(x=Axis(id="step", scale="log"), y=Axis(id="error", scale="log", least=LEAST), series=series)
    )


def _shape(parameters: GradientCheckParameters, f: Any, place: torch.Tensor) -> Figure:
    """The function along its first coordinate, with the tangent that autograd claims."""
    width = 3.0
    offsets = torch.linspace(-width, width, 121, dtype=torch.float64)
    start = place.double()
    moved = start.repeat(len(offsets), 1)
    moved[:, 0] += offsets
    values = torch.stack([f(one) for one in moved])
    tangent = f(start) + gradient(f, place)[0] * offsets
    series = [
        Series(id="function", x=numbers(moved[:, 0]), y=numbers(values)),
        Series(id="tangent", x=numbers(moved[:, 0]), y=numbers(tangent), style="dashed"),
        Series(id="point", x=[float(start[0])], y=[float(f(start))], style="points"),
    ]
    return Figure("shape", LinesData(x=Axis(id="first"), y=Axis(id="value"), series=series))
