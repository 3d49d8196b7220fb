"""Runs the experiment: the surface at once, then one optimiser after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ....contract.experiments import Axis, BarsData, ContourData, LinesData, Number, Series, TableData, finite
from ...experiment import Figure, Update
from ...values import numbers
from . import Optimiser, OptimisersParameters
from .descent import DEFAULTS, OPTIMISERS, STATES, Descent, best, descend, final_losses
from .findings import findings
from .race import arrival, distances, stalls
from .surfaces import heights, place

LEAST = 1e-20
"""Heights and steps below this are 0 to rounding, and are not drawn."""

GRID = 60
"""Points along each axis; an even number, so that none is a lowest point, whose height of 0 has no logarithm."""


def run(parameters: OptimisersParameters, seed: int) -> Iterator[Update]:
    """The noise is drawn from the seed, the same for all."""
    names = OPTIMISERS if parameters.optimiser == "all" else (parameters.optimiser,)
    total = len(names) + 1
    yield Update(1, total, (_contour(parameters, {}),), {})
    found: dict[Optimiser, Descent] = {}
    by_default: dict[Optimiser, Descent] = {}
    for done, name in enumerate(names, 2):
        if parameters.rate == "best":
            found[name] = best(parameters, name, seed)
            by_default[name] = descend(parameters, name, [DEFAULTS[name]], seed)
        else:
            rate = DEFAULTS[name] if parameters.rate == "default" else parameters.rate
            found[name] = descend(parameters, name, [rate], seed)
        said = _numbers(parameters, found)
        if by_default:
            said["final_at_default"] = {
                name: finite(float(final_losses(parameters, one))) for name, one in by_default.items()
            }
        last = done == total
        if last and parameters.surface == "bowl":
            said |= _bowl(parameters.condition)
        told = [*findings(parameters, said), *stalls(parameters, found, by_default)] if last else []
        yield Update(done, total, _figures(parameters, found, said), said, tuple(told))


def _numbers(parameters: OptimisersParameters, found: dict[Optimiser, Descent]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "trajectory": {}, "losses": {}, "rates": {}, "first_step": {}, "final": {}, "distance": {}, "arrival": {},
    }  # fmt: skip
    for name, one in found.items():
        points = one.points[0]
        said["trajectory"][name] = [numbers(point) for point in points]
        said["losses"][name] = numbers(heights(parameters, points))
        said["rates"][name] = one.rates[0]
        said["first_step"][name] = finite(float((points[1] - points[0]).abs().max()))
        said["final"][name] = said["losses"][name][-1]
        said["distance"][name] = finite(float(distances(parameters, points)[-1]))
        said["arrival"][name] = arrival(parameters, points)
    return said


def _bowl(condition: float) -> dict[str, float]:
    """How much a step shortens the way at the best constants, from the eigenvalues of one step's matrix.

    Gradient descent: rate 2/(1 + κ), factor (κ − 1)/(κ + 1). Momentum: α = 4/(1 + √κ)², β = ((√κ − 1)/(√κ + 1))²,
    factor √β.
    """
    root = condition**0.5
    alpha, beta = 4 / (1 + root) ** 2, ((root - 1) / (root + 1)) ** 2
    curvatures = torch.tensor([1.0, condition], dtype=torch.float64)
    plain = float((1 - 2 / (1 + condition) * curvatures).abs().max())
    step = torch.zeros(2, 2, 2, dtype=torch.float64)
    step[:, 0, 0], step[:, 0, 1], step[:, 1, 0] = 1 + beta - alpha * curvatures, -beta, 1
    # at the best constants both eigenvalues of a curvature meet, where a solver is exact to half the digits only:
    # for a double or complex pair their size is the root of the determinant, else the larger of two real ones
    half, product = (step[:, 0, 0] / 2), -step[:, 0, 1] * step[:, 1, 0]
    apart = (half**2 - product).clamp(min=0)
    apart = torch.where(apart < 1e-12, torch.zeros_like(apart), apart)
    radius = torch.where(apart > 0, half.abs() + apart.sqrt(), product.sqrt())
    return {"best_factor": plain, "best_factor_momentum": float(radius.max()), "best_alpha": alpha, "best_beta": beta}


def _figures(
    parameters: OptimisersParameters, found: dict[Optimiser, Descent], said: dict[str, Any]
) -> tuple[Figure, ...]:
    steps: list[Number] = list(range(parameters.steps + 1))
    losses = {name: numbers(heights(parameters, one.points[0])) for name, one in found.items()}
    signed = parameters.surface in ("reddi", "saddle")  # heights below zero have no place on a logarithmic axis
    curves = [
        Series(id=name, x=steps, y=one if signed else numbers([torch.nan if y is None else y for y in one], True))
        for name, one in losses.items()
    ]
    height = Axis(id="loss") if signed else Axis(id="loss", scale="log", least=LEAST)
    drawn = LinesData(x=Axis(id="step"), y=height, series=curves)
    shown: Optimiser = "adam" if parameters.optimiser == "all" else parameters.optimiser
    figures = [_contour(parameters, found), Figure("losses", drawn)]
    if shown in found:
        figures.append(_state(parameters, found[shown]))
    figures += [_first_steps(found), _end(said)]
    return tuple(figures)


def _contour(parameters: OptimisersParameters, found: dict[Optimiser, Descent]) -> Figure:
    left, right, low, high = place(parameters).drawn
    columns = torch.linspace(left, right, GRID, dtype=torch.float64)
    rows = torch.linspace(low, high, GRID, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)
    paths = [
        Series(id=name, x=numbers(one.points[0, :, 0]), y=numbers(one.points[0, :, 1])) for name, one in found.items()
    ]
    data = ContourData(
        x=Axis(id="x"),
        y=Axis(id="y"),
        columns=columns.tolist(),
        rows=rows.tolist(),
        values=[numbers(row) for row in heights(parameters, grid)],
        scale="log" if parameters.surface in ("bowl", "rosenbrock", "beale", "himmelblau") else "linear",
        paths=paths,
        start="start",
    )
    return Figure("paths", data)


def _state(parameters: OptimisersParameters, one: Descent) -> Figure:
    """What the optimiser keeps, and the length of its steps."""
    steps: list[Number] = list(range(1, parameters.steps + 1))
    lengths: Tensor = (one.points[0, 1:] - one.points[0, :-1]).norm(dim=1)
    series = [Series(id="length", x=steps, y=numbers(lengths, True))]
    series += [Series(id=kept, x=steps, y=numbers(one.state[kept][0], True)) for kept in STATES if kept in one.state]
    return Figure("state", LinesData(x=Axis(id="step"), y=Axis(id="size", scale="log", least=LEAST), series=series))


def _end(said: dict[str, Any]) -> Figure:
    """Who arrived, when, and at which rate."""
    columns = {"rate": said["rates"], "arrival": said["arrival"], "left": said["distance"]}
    rows: list[list[str | float | int | None]] = [
        [name, *(column[name] for column in columns.values())] for name in said["rates"]
    ]
    return Figure("end", TableData(columns=["optimiser", *columns], rows=rows))


def _first_steps(found: dict[Optimiser, Descent]) -> Figure:
    """The first step over the rate: what each makes of the very first gradient."""
    sizes = [(one.points[0, 1] - one.points[0, 0]).abs().max() / one.rates[0] for one in found.values()]
    bars = Series(id="first_step", x=list(range(len(found))), y=numbers(sizes, True))
    return Figure("first_steps", BarsData(labels=list(found), y=Axis(id="over_rate", scale="log"), series=[bars]))
