"""Who gets to a lowest point, when, and whether AdaGrad stalls on the way."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ....contract.experiments import ExperimentFinding, Verdict, finite
from . import Optimiser, OptimisersParameters
from .descent import Descent
from .findings import NEAR
from .surfaces import place

FAR = 0.1
"""A descent that has this share of its way left, or more, and takes ever smaller steps, stalls."""


def distances(parameters: OptimisersParameters, points: Tensor) -> Tensor:
    """(steps + 1,) from each point (steps + 1, 2) to the nearest lowest point."""
    lowest = torch.tensor(place(parameters).minima, dtype=torch.float64)
    apart = points[:, None] - lowest
    return torch.hypot(apart[..., 0], apart[..., 1]).amin(1)  # a norm would lose what is below 1e-160


def arrival(parameters: OptimisersParameters, points: Tensor) -> int | None:
    """The step from which on a descent stays near a lowest point; None where it ends elsewhere."""
    away = ~(distances(parameters, points) < NEAR)  # what is not finite is away, too
    if away[-1]:
        return None
    return int(away.nonzero()[-1]) + 1 if away.any() else 0


def stalls(
    parameters: OptimisersParameters, found: dict[Optimiser, Descent], by_default: dict[Optimiser, Descent]
) -> Iterator[ExperimentFinding]:
    """AdaGrad divides by the root of the sum of all squared gradients. Does that stop it, and at which rate?"""
    if "adagrad" not in found or parameters.surface == "reddi" or parameters.steps < 2:
        return
    own = _way(parameters, found["adagrad"])
    plain = _way(parameters, by_default["adagrad"]) if "adagrad" in by_default else own
    at_own, at_plain = _stalled(own), _stalled(plain)
    verdict: Verdict = "holds" if at_own else "depends" if at_plain else "fails"
    numbers: dict[str, float | int | str | None] = {"steps": parameters.steps, **own}
    if verdict == "depends":
        numbers |= {f"plain_{name}": value for name, value in plain.items()}
        numbers["times"] = found["adagrad"].rates[0] / by_default["adagrad"].rates[0]
    yield ExperimentFinding(id="stalls", verdict=verdict, numbers=numbers)


def _way(parameters: OptimisersParameters, one: Descent) -> dict[str, float | None]:
    """First and last step, how much the divisor grew between them, and how far it is to go."""
    points, away = one.points[0], distances(parameters, one.points[0])
    steps = (points[1:] - points[:-1]).norm(dim=1)
    divisor = one.state["second_moment"][0].sqrt()
    grown = divisor[-1] / divisor[0]
    values = {"first": steps[0], "last": steps[-1], "grown": grown, "start": away[0], "left": away[-1]}
    return {"rate": one.rates[0], **{name: finite(float(value)) for name, value in values.items()}}


def _stalled(way: dict[str, float | None]) -> bool:
    first, last, start, left = (way[name] for name in ("first", "last", "start", "left"))
    if first is None or last is None or start is None or left is None:
        return False
    return last < first / 2 and left > max(NEAR, FAR * start)
