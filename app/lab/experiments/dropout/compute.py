"""Runs the experiment: all masks of one network at once, then networks of other depths, then trainings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ....contract.experiments import Axis, BarsData, ExperimentFinding, LinesData, MatrixData, Number, Series, finite
from ...experiment import Figure, Update
from ...intervals import interval_series
from ...values import numbers
from . import DropoutParameters
from .findings import of_masks, of_training
from .masks import Backward, Means, Network, all_masks, backward, chances, mean_gradient, means, network
from .training import Trainings

DEPTHS = range(4)
NETWORKS = 6
"""Networks of each depth whose gaps are measured."""

POINTS = 512
"""Of the curve of outputs, at most."""

TIMES = 12
"""How often errors are measured in training."""


def run(parameters: DropoutParameters, seed: int) -> Iterator[Update]:
    """Draws the network shown and its mask; then, from the next seeds, those of each depth, and the trainings."""
    generator = torch.Generator().manual_seed(seed)
    shown = network(parameters, parameters.layers, generator)
    mask = _mask(parameters, generator)
    found_means, found_back = means(shown, parameters.p), backward(shown, mask, parameters.p)
    found = _numbers(parameters, shown, found_means, found_back)
    total = 1 + len(DEPTHS) + parameters.steps
    figures = _of_masks(found_means, found_back)
    findings = of_masks(parameters, found)
    yield Update(1, total, figures, dict(found), findings)
    gaps: dict[str, list[Tensor]] = {"arithmetic": [], "geometric": []}
    generator.manual_seed(seed + 1)
    for done, layers in enumerate(DEPTHS, 2):
        each = [means(network(parameters, layers, generator), parameters.p) for _ in range(NETWORKS)]
        gaps["geometric"].append(torch.tensor([one.geometric_gap for one in each], dtype=torch.float64))
        gaps["arithmetic"].append(torch.tensor([one.arithmetic_gap for one in each], dtype=torch.float64))
        found["gaps_by_layers"] = {name: numbers(one.mean() for one in listed) for name, listed in gaps.items()}
        shown_so_far = (*figures, _by_layers(gaps))
        yield Update(done, total, shown_so_far, dict(found), findings)
    if parameters.steps:
        yield from _training(parameters, seed + 2, found, shown_so_far, findings)


def _mask(parameters: DropoutParameters, generator: torch.Generator) -> Tensor:
    """Drawn as in training; the first units as given, where they are."""
    drawn = (torch.rand(parameters.units, generator=generator, dtype=torch.float64) >= parameters.p).double()
    given = [bit for row in parameters.mask for bit in row][: parameters.units]
    drawn[: len(given)] = torch.tensor(given, dtype=torch.float64)
    return drawn


def _numbers(parameters: DropoutParameters, shown: Network, found: Means, back: Backward) -> dict[str, Any]:
    masks = all_masks(parameters.units)
    mean_factor = chances(masks, parameters.p) @ masks / (1 - parameters.p)
    averaged, whole = mean_gradient(shown, parameters.p)
    return {
        "masks": len(masks),
        "geometric_gap": found.geometric_gap,
        "arithmetic_gap": found.arithmetic_gap,
        "arithmetic": numbers(found.arithmetic),
        "geometric": numbers(found.geometric),
        "weight_scaling": numbers(found.scaled),
        "mask": [int(one) for one in back.mask],
        "backward_mask": numbers(back.factor),
        "gradient": numbers(back.gradient),
        "backward_gap": back.gap,
        "mean_factor": numbers(mean_factor),
        "mean_gradient_difference": finite(float((averaged - whole).norm() / whole.norm())),
    }


def _of_masks(found: Means, back: Backward) -> tuple[Figure, ...]:
    classes = [str(place) for place in range(1, len(found.scaled) + 1)]
    places: list[Number] = list(range(len(classes)))
    three = {"arithmetic": found.arithmetic, "geometric": found.geometric, "weight_scaling": found.scaled}
    bars = [Series(id=name, x=places, y=numbers(values)) for name, values in three.items()]
    units = [str(place) for place in range(1, len(back.mask) + 1)]
    each = {"forward": back.dropped, "arriving": back.arriving, "factor": back.factor, "gradient": back.gradient}
    given: list[Number] = [int(one) for one in back.mask]
    by_unit = [numbers(row) for row in torch.stack(list(each.values()), 1)]
    return (
        _outputs(found, three),
        Figure("means", BarsData(labels=classes, x=Axis(id="class"), y=Axis(id="probability"), series=bars)),
        Figure("mask", MatrixData(values=[given], columns=units, parameter="mask", switches=True)),
        Figure("backward", MatrixData(values=by_unit, rows=units, columns=list(each))),
    )


def _outputs(found: Means, three: dict[str, Tensor]) -> Figure:
    """The probability of the first class, mask by mask, from the lowest: over the chance of this or a lower one."""
    order = found.masked[:, 0].argsort()
    below = found.chance[order].cumsum(0)
    chosen = torch.linspace(0, len(order) - 1, min(len(order), POINTS)).round().long()
    series = [
        Series(id=name, x=[0, 1], y=[float(values[0])] * 2, style="dashed" if name == "weight_scaling" else "line")
        for name, values in three.items()
    ]
    series.append(Series(id="masked", x=numbers(below[chosen]), y=numbers(found.masked[order, 0][chosen])))
    return Figure("outputs", LinesData(x=Axis(id="share"), y=Axis(id="first"), series=series))


def _by_layers(gaps: dict[str, list[Tensor]]) -> Figure:
    """The mean over the networks of a depth, from the least to the largest."""
    series = []
    for name, listed in gaps.items():
        layers: list[Number] = list(range(len(listed)))
        low, high = ([getattr(one, end)() for one in listed] for end in ("min", "max"))
        mean = numbers((one.mean() for one in listed), positive=True)
        series.append(Series(id=name, x=layers, y=mean, low=numbers(low, True), high=numbers(high, True)))
    return Figure("layers", LinesData(x=Axis(id="layers"), y=Axis(id="gap", scale="log"), series=series))


def _training(
    parameters: DropoutParameters,
    seed: int,
    found: dict[str, Any],
    before: tuple[Figure, ...],
    said: tuple[ExperimentFinding, ...],
) -> Iterator[Update]:
    """Trains; the last update has all that was found before, too."""
    trainings = Trainings(parameters, seed)
    total = 1 + len(DEPTHS) + parameters.steps
    curves: dict[int, dict[str, Tensor]] = {}
    every = max(1, parameters.steps // TIMES)
    for step in trainings.steps():
        last = step == parameters.steps
        figures: tuple[Figure, ...] = ()
        if last or step % every == 0:
            curves[step] = trainings.errors()
            figures = (_error(curves[step]), _curves(curves))
        if last:
            found |= {"errors": {name: _means(one) for name, one in curves[step].items()}}
            yield Update(total, total, before + figures, found, said + of_training(parameters, curves[step]))
        else:
            yield Update(total - parameters.steps + step, total, figures, dict(found))


def _means(values: Tensor) -> Any:
    """Over the seeds: a number, or a list."""
    mean = values.mean(0)
    return numbers(mean) if mean.dim() else finite(float(mean))


def _error(errors: dict[str, Tensor]) -> Figure:
    """Over the number of networks that are averaged; one network, and dropout's whole network, are flat lines."""
    averaged = list(range(1, errors["bagging"].shape[1] + 1))
    ends = [averaged[0], averaged[-1]]
    series = [
        interval_series(name, averaged, errors[name].T)
        if errors[name].dim() > 1
        else interval_series(name, ends, errors[name].expand(2, -1), "dashed" if name == "single" else "line")
        for name in ("bagging", "scaled", "sampled", "single")
    ]
    return Figure("error", LinesData(x=Axis(id="averaged"), y=Axis(id="error"), series=series))


def _curves(curves: dict[int, dict[str, Tensor]]) -> Figure:
    """Over the steps of training: one network, all networks averaged, dropout's whole network."""
    series = []
    for name in ("bagging", "scaled", "single"):
        errors = torch.stack([one[name][:, -1] if name == "bagging" else one[name] for one in curves.values()])
        series.append(interval_series(name, list(curves), errors, "dashed" if name == "single" else "line"))
    return Figure("curves", LinesData(x=Axis(id="step"), y=Axis(id="error"), series=series))
