"""Runs the experiment: paths on the bowl at once, then the fits of all decays."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ....contract.experiments import Axis, ContourData, LinesData, Number, Series, finite
from ...experiment import Figure, Update
from ...intervals import interval_series
from ...values import numbers
from . import WeightDecayParameters
from .descent import KINDS, UNUSED, bowl, paths
from .findings import of_fits, of_paths
from .fit import DECAYS, SEEDS, WEIGHTS, errors, fits, task

GRID = 60
DRAWN = (-4.0, 4.0, -3.0, 4.0)
SHOWN = 8
"""Weights whose size is drawn over λ."""

TOGETHER = 50
"""Steps of all fits between two updates."""

BEYOND = 100.0
"""An error of more than so many times the mean square of y is a fit that has left all bounds."""


def run(parameters: WeightDecayParameters, seed: int) -> Iterator[Update]:
    """Draws the bowl's noise, where there is one; then, from the next seed, the samples and batches of the fits."""
    found_paths = paths(parameters, seed)
    found = _of_paths(parameters, found_paths)
    figures = _path_figures(parameters, found_paths)
    findings = of_paths(parameters, found_paths, found)
    total = 1 + parameters.steps
    yield Update(1, total, figures, dict(found), findings)
    generator = torch.Generator().manual_seed(seed + 1)
    data = task(generator)
    fitted: deque[Tensor] = deque(maxlen=1)
    for step, weights in enumerate(fits(parameters, data, generator)):
        fitted.append(weights)
        if step and step % TOGETHER == 0 and step < parameters.steps:
            yield Update(1 + step, total, figures, dict(found), findings)
    weights = fitted[0]
    held, train = (_bounded(weights, x, y) for x, y in ((data.held_x, data.held_y), (data.x, data.y)))
    found |= _of_fits(parameters, weights, held, train)
    figures += _fit_figures(parameters, weights, held, train)
    yield Update(total, total, figures, found, findings + of_fits(parameters, weights, held))


def _of_paths(parameters: WeightDecayParameters, found: dict[str, Tensor]) -> dict[str, Any]:
    asked, decoupled = found[parameters.kind], found["decoupled"]
    surface = bowl(parameters)
    lowest = surface.lowest(parameters.kind, parameters.decay)
    return {
        "trajectory": [numbers(point) for point in asked[:, :2]],
        "unused": numbers(asked[:, 2]),
        "factor": 1 - parameters.rate * parameters.decay,
        "difference_from_decoupled": finite(float((asked - decoupled).abs().max())),
        "l2_from_decoupled": finite(float((found["l2"] - decoupled).abs().max())),
        "lowest": numbers(lowest),
        "distance": finite(float((asked[-1, :2] - lowest).norm())),
        "distance_from_plain": finite(float((asked[-1, :2] - surface.minimum).norm())),
    }


def _path_figures(parameters: WeightDecayParameters, found: dict[str, Tensor]) -> tuple[Figure, ...]:
    steps: list[Number] = list(range(parameters.steps + 1))
    left, right, low, high = DRAWN
    columns = torch.linspace(left, right, GRID, dtype=torch.float64)
    rows = torch.linspace(low, high, GRID, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)
    contour = ContourData(
        x=Axis(id="first"),
        y=Axis(id="second"),
        columns=columns.tolist(),
        rows=rows.tolist(),
        values=[numbers(row) for row in bowl(parameters).height(grid)],
        scale="log",
        paths=[Series(id=kind, x=numbers(path[:, 0]), y=numbers(path[:, 1])) for kind, path in found.items()],
        start="start",
    )
    unused = [Series(id=kind, x=steps, y=numbers(path[:, 2])) for kind, path in found.items() if kind != "none"]
    factor = 1 - parameters.rate * parameters.decay
    powers = numbers(UNUSED * factor**step if abs(factor) <= 1 else torch.nan for step in range(len(steps)))
    unused.append(Series(id="powers", x=steps, y=powers, style="dashed"))
    apart = [
        Series(id=kind, x=steps, y=numbers((found[kind] - found["decoupled"]).norm(dim=1), positive=True))
        for kind in KINDS
        if kind != "decoupled"
    ]
    return (
        Figure("paths", contour),
        Figure("unused", LinesData(x=Axis(id="step"), y=Axis(id="weight"), series=unused)),
        Figure("apart", LinesData(x=Axis(id="step"), y=Axis(id="distance", scale="log"), series=apart)),
    )


def _bounded(weights: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Errors (kinds, seeds, decays); infinite where a fit has left all bounds."""
    found = errors(weights, x, y)
    return torch.where(found < BEYOND * (y**2).mean(), found, torch.inf)


def _of_fits(parameters: WeightDecayParameters, weights: Tensor, held: Tensor, train: Tensor) -> dict[str, Any]:
    asked = KINDS.index(parameters.kind)
    means = held.mean(1)
    best = {kind: int(means[place].argmin()) for place, kind in enumerate(KINDS)}
    exact = (weights == 0).sum((1, 3))
    return {
        "decays": DECAYS,
        "held_error": numbers(means[asked]),
        "train_error": numbers(train.mean(1)[asked]),
        "error_without": finite(float(means[asked, 0])),
        "best_decay": {kind: DECAYS[best[kind]] for kind in KINDS},
        "best_error": {kind: finite(float(means[place, best[kind]])) for place, kind in enumerate(KINDS)},
        "exact_zeros": {kind: int(exact[place, best[kind]]) for place, kind in enumerate(KINDS)},
        "weights": SEEDS * WEIGHTS,
    }


def _fit_figures(parameters: WeightDecayParameters, weights: Tensor, held: Tensor, train: Tensor) -> tuple[Figure, ...]:
    asked = KINDS.index(parameters.kind)
    over = Axis(id="decay", scale="log")
    decays: list[Number] = list(DECAYS[1:])
    without = float(held[asked, :, 0].mean())
    plain = Series(id="none", x=[decays[0], decays[-1]], y=numbers([without] * 2), style="dashed")
    fit = [_over_decays("held", held[asked]), _over_decays("train", train[asked]), plain]
    kinds = [_over_decays(kind, held[place]) for place, kind in enumerate(KINDS)]
    first = weights[asked, 0, 1:]
    sizes = [Series(id=f"w{place + 1}", x=decays, y=numbers(first[:, place])) for place in range(SHOWN)]
    return (
        Figure("fit", LinesData(x=over, y=Axis(id="error"), series=fit)),
        Figure("kinds", LinesData(x=over, y=Axis(id="held_error"), series=[*kinds, plain])),
        Figure("sizes", LinesData(x=over, y=Axis(id="weight"), series=sizes)),
    )


def _over_decays(name: str, values: Tensor) -> Series:
    """Mean and interval over the seeds, for every λ above 0."""
    return interval_series(name, DECAYS[1:], values[:, 1:].T)
