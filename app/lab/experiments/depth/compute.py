"""Runs the experiment: a few networks of the same kind, one pass forward and back, and the theory beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

import torch
from torch import Tensor

from ....contract.experiments import (
    Axis,
    HistogramData,
    LinesData,
    Number,
    Series,
    TableData,
    finite,
)
from ...experiment import Figure, Update
from ...values import numbers
from . import DepthParameters, Initialisation
from .findings import findings
from .network import Flow, Theory, flow, steepest, theory

BINS = 40
INITIALISATIONS: tuple[Initialisation, ...] = get_args(Initialisation)
COLUMNS = ("initialisation", "ratio", "factor", "last_square", "last_saturated")


def run(parameters: DepthParameters, seed: int) -> Iterator[Update]:
    """Draws weights layer by layer, then inputs, read-out and targets."""
    seen = flow(parameters, torch.Generator().manual_seed(seed))
    plain = parameters.normalisation == "none" and not parameters.residual
    predicted = theory(parameters) if plain else None
    found = _numbers(parameters, seen, predicted)
    total = 1 + len(INITIALISATIONS)
    figures = _figures(parameters, seen, predicted)
    yield Update(1, total, figures, found, findings(parameters, found))
    rows: list[list[str | float | int | None]] = []
    for done, one in enumerate(INITIALISATIONS, 2):
        rows.append(_row(parameters, one, seed))
        if done < total:
            yield Update(done, total)
    found["initialisations"] = {str(name): ratio for name, ratio, *_ in rows}
    table = Figure("initialisations", TableData(columns=list(COLUMNS), rows=rows))
    yield Update(total, total, (*figures, table), found, findings(parameters, found))


def _row(parameters: DepthParameters, initialisation: Initialisation, seed: int) -> list[str | float | int | None]:
    """One network, begun in another way: its gradient, first layer over last, and its outputs."""
    other = parameters.model_copy(update={"initialisation": initialisation})
    seen = flow(other, torch.Generator().manual_seed(seed), networks=1)
    ratio = float(seen.backward[0, 0] / seen.backward[0, -1])
    factor = ratio ** (1 / max(1, parameters.depth - 1))
    return [initialisation, finite(ratio), finite(factor), finite(float(seen.forward[0, -1])),
            finite(float(seen.saturated[0, -1]))]  # fmt: skip


def _numbers(parameters: DepthParameters, seen: Flow, predicted: Theory | None) -> dict[str, Any]:
    """Means over the networks."""
    backward = seen.backward.mean(0)
    ratio = float(backward[0] / backward[-1])
    steps = max(1, parameters.depth - 1)
    found: dict[str, Any] = {
        "forward_variance": numbers(seen.forward.mean(0)),
        "backward_norm": numbers(backward),
        "weight_gradient_norm": numbers(seen.weights.mean(0)),
        "saturated": numbers(seen.saturated.mean(0)),
        "gradient_ratio": finite(ratio),
        "factor_per_layer": finite(ratio ** (1 / steps)) if ratio > 0 else None,
        "steepest": steepest(parameters.activation),
        "slope_bound": steepest(parameters.activation) ** parameters.depth,
    }
    if predicted:
        found["predicted_forward"] = numbers(predicted.forward)
        found["predicted_ratio"] = finite(predicted.backward[0])
    if len(parameters.measured) > 1 and parameters.measured[-1] > 0:
        found["measured_ratio"] = finite(parameters.measured[0] / parameters.measured[-1])
    return found


def _figures(parameters: DepthParameters, seen: Flow, predicted: Theory | None) -> tuple[Figure, ...]:
    last = float(seen.backward[:, -1].mean())
    predicted_norms = [last * one for one in predicted.backward] if predicted else None
    return (
        _by_layer("forward", "mean_square", seen.forward, predicted.forward if predicted else None),
        _by_layer("backward", "gradient", seen.backward, predicted_norms, further=_measured(parameters, last)),
        _by_layer("saturated", "share", seen.saturated, None, log=False),
        Figure("outputs", _histogram(parameters, seen)),
    )


def _measured(parameters: DepthParameters, last: float) -> list[Series]:
    """The norms of another network, spread over as many layers and scaled so that both meet at the last one."""
    norms, depth = parameters.measured, parameters.depth
    if not norms or not norms[-1] > 0:
        return []
    step = (depth - 1) / (len(norms) - 1) if len(norms) > 1 else 0.0
    places: list[Number] = [round(depth - step * i, 6) for i in reversed(range(len(norms)))]
    scaled = numbers((last * (one / norms[-1]) for one in norms), positive=True)
    return [Series(id="measured", x=places, y=scaled, style="points")]


def _by_layer(
    name: str,
    axis: str,
    values: Tensor,
    predicted: list[float] | None,
    log: bool = True,
    further: Sequence[Series] = (),
) -> Figure:
    """Mean over the networks, from the lowest to the highest of them."""
    layers: list[Number] = list(range(1, values.shape[1] + 1))
    lowest, highest = values.min(0)[0], values.max(0)[0]
    series = [
        Series(id="network", x=layers, y=numbers(values.mean(0), log), low=numbers(lowest, log),
               high=numbers(highest, log))
    ]  # fmt: skip
    if predicted is not None:
        series.append(Series(id="theory", x=layers, y=numbers(predicted, log), style="dashed"))
    series += further
    return Figure(name, LinesData(x=Axis(id="layer"), y=Axis(id=axis, scale="log" if log else "linear"), series=series))


def _histogram(parameters: DepthParameters, seen: Flow) -> HistogramData:
    """Outputs of the first, the middle and the last layer of the first network."""
    chosen = {"first": 0, "middle": (parameters.depth - 1) // 2, "last": parameters.depth - 1}
    values = {name: seen.outputs[layer][0].flatten() for name, layer in chosen.items()}
    every = torch.cat([one[one.isfinite()] for one in values.values()])
    low, high = float(every.quantile(0.001)), float(every.quantile(0.999))
    edges = torch.linspace(low, high if high > low else low + 1, BINS + 1, dtype=torch.float64)
    series = [
        Series(id=name, x=[], y=torch.histogram(one.clamp(edges[0], edges[-1]), edges)[0].int().tolist())
        for name, one in values.items()
    ]
    # a ReLU gives zero half of the time: one bar is ten times as high as all others
    return HistogramData(x=Axis(id="output"), edges=edges.tolist(), y=Axis(id="count", scale="log"), series=series)
