"""Runs the experiment: first where the gradient comes from, then the training, in pieces."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ....contract.experiments import Axis, BarsData, HeatmapData, LinesData, Series, finite
from ...experiment import Figure, Update
from ...values import numbers
from . import ThroughTimeParameters
from .adding import CONSTANT_MSE, Batch, batch
from .analysis import Parts, Reach, Task, parts, reach
from .cells import weights
from .findings import of_gradient, of_training
from .training import Trainer, variants

SEQUENCES = 16
PIECES = 20
BARS = 10


def run(parameters: ThroughTimeParameters, seed: int) -> Iterator[Update]:
    """Jacobians and parts, then losses. The random draws are: recurrent weights, input weights, read-out, batch."""
    generator = torch.Generator().manual_seed(seed)
    weight = weights(parameters.cell, parameters.hidden, parameters.spectral_radius, generator)
    readout = torch.zeros(parameters.hidden + 1, dtype=torch.float64)
    readout[:-1] = torch.randn(parameters.hidden, generator=generator, dtype=torch.float64) / parameters.hidden**0.5
    dtype = torch.float32 if parameters.precision == "float32" else torch.float64
    given = batch(SEQUENCES, parameters.length, parameters.mixed_lengths, generator, dtype)
    total = 2 + parameters.train_steps
    task = Task(parameters.cell, given, parameters.loss == "every", parameters.truncation)
    far = reach(task, weight, readout)
    found: dict[str, Any] = {"jacobian_norms": numbers(far.norms)}
    figures = _of_reach(parameters, far)
    yield Update(1, total, figures, dict(found))
    by_step = parts(task, weight.to(dtype), readout.to(dtype))
    found |= _of_gradient(parameters, given, by_step)
    if parameters.truncation:
        whole = parts(Task(task.cell, given, task.every, 0), weight.to(dtype), readout.to(dtype)).summed.sum(0)
        found["truncation_cosine"] = finite(_cosine(by_step.summed.sum(0), whole))
    figures += _of_parts(parameters, by_step)
    findings = of_gradient(parameters, found)
    yield Update(2, total, figures, dict(found), findings)
    if parameters.train_steps:
        yield from _train(parameters, weight, readout, given, Update(2, total, figures, found, findings), generator)


def _cosine(one: Tensor, other: Tensor) -> float:
    """The cosine of the angle between two gradients; NaN where one is zero."""
    a, b = one.double().flatten(), other.double().flatten()
    return float(a @ b / (a.norm() * b.norm()))


def _angle(one: Tensor, other: Tensor) -> float:
    """The angle between two gradients in degrees, exact for small ones too: 2·asin(‖a − b‖/2) of the unit vectors."""
    a, b = (part.double().flatten() / part.double().norm() for part in (one, other))
    return math.degrees(2 * math.asin(min(1.0, float((a - b).norm()) / 2)))


def _of_gradient(parameters: ThroughTimeParameters, given: Batch, by_step: Parts) -> dict[str, Any]:
    norms = {"sum": by_step.summed.flatten(1).norm(dim=1), "mean": by_step.averaged.flatten(1).norm(dim=1)}
    half = parameters.length // 2
    whole = {"sum": by_step.summed.sum(0), "mean": by_step.averaged.sum(0)}
    found: dict[str, Any] = {
        "parts": numbers(norms[parameters.reduction]),
        "parts_error": finite(by_step.error),
        "cosine_sum_mean": finite(_cosine(whole["sum"], whole["mean"])),
        "angle": finite(_angle(whole["sum"], whole["mean"])),
        "mean_length": float(given.lengths.double().mean()),
        "constant_mse": CONSTANT_MSE,
    }
    for name, one in norms.items():
        found[f"far_share_{name}"] = finite(float(one[:half].sum() / one.sum()))
        found[f"first_over_last_{name}"] = finite(float(one[0] / one[-1]))
        found[f"gradient_norm_{name}"] = finite(float(whole[name].norm()))
    return found


def _of_reach(parameters: ThroughTimeParameters, far: Reach) -> tuple[Figure, ...]:
    length, steps = parameters.length, list(range(parameters.length))
    theory = [parameters.spectral_radius ** (length - k) for k in steps]
    lines = LinesData(
        x=Axis(id="step"),
        y=Axis(id="jacobian", scale="log"),
        series=[
            Series(id="jacobian", x=list(steps), y=numbers(far.norms, positive=True)),
            Series(id="power", x=list(steps), y=numbers(theory, positive=True), style="dashed"),
        ],
    )
    places = [float(step + 1) for step in steps]
    heatmap = HeatmapData(
        x=Axis(id="step"),
        y=Axis(id="loss_step"),
        columns=places,
        rows=places,
        values=[numbers(row, positive=True) for row in far.losses],
        scale="log",
    )
    return Figure("jacobians", lines), Figure("reach", heatmap)


def _of_parts(parameters: ThroughTimeParameters, by_step: Parts) -> tuple[Figure, ...]:
    steps: list[float | int | None] = list(range(1, parameters.length + 1))
    norms = {"sum": by_step.summed.flatten(1).norm(dim=1), "mean": by_step.averaged.flatten(1).norm(dim=1)}
    lines = LinesData(
        x=Axis(id="step"),
        y=Axis(id="part", scale="log"),
        series=[Series(id=name, x=steps, y=numbers(one, positive=True)) for name, one in norms.items()],
    )
    groups = torch.arange(parameters.length).chunk(min(BARS, parameters.length))
    labels = [f"{int(group[0]) + 1}–{int(group[-1]) + 1}" if len(group) > 1 else str(int(group[0]) + 1)
              for group in groups]  # fmt: skip
    shares = BarsData(
        labels=labels,
        x=Axis(id="steps"),
        y=Axis(id="share"),
        series=[
            Series(id=name, x=list(range(len(groups))), y=numbers(one[group].sum() / one.sum() for group in groups))
            for name, one in norms.items()
        ],
    )
    return Figure("parts", lines), Figure("shares", shares)


def _train(
    parameters: ThroughTimeParameters,
    weight: Tensor,
    readout: Tensor,
    given: Batch,
    start: Update,
    generator: torch.Generator,
) -> Iterator[Update]:
    """Training on batches drawn after the one that was looked at."""
    trainer = Trainer(parameters, weight, readout, variants(parameters, float(given.lengths.double().mean())))
    losses: list[list[float]] = []
    piece = max(1, parameters.train_steps // PIECES)
    found = dict(start.numbers)
    for step, row in enumerate(trainer.steps(generator), 1):
        losses.append(row)
        if step % piece and step < parameters.train_steps:
            continue
        curves = {kind.id: numbers(one) for kind, one in zip(trainer.kinds, zip(*losses, strict=True), strict=True)}
        figures = (*start.figures, _of_losses(parameters, curves))
        found |= {f"loss_{name}": one for name, one in curves.items()}
        findings = start.findings
        if step == parameters.train_steps:
            found |= _of_training(trainer, curves)
            findings += of_training(parameters, found)
        yield Update(start.done + step, start.total, figures, dict(found), findings)


def _of_training(trainer: Trainer, curves: dict[str, list[Any]]) -> dict[str, Any]:
    """How far the weights of two ways lie apart, and the mean loss of each over the last tenth."""
    found: dict[str, Any] = {
        "weights_gap_scaled": finite(trainer.gap("sum", "mean_scaled")),
        "weights_gap_mean": finite(trainer.gap("sum", "mean")),
    }
    if "adam" in curves:
        found["weights_gap_adam"] = finite(trainer.gap("adam", "adam_mean"))
    for name, curve in curves.items():
        last = curve[-max(1, len(curve) // 10) :]
        found[f"final_{name}"] = None if None in last else statistics.fmean(last)
    return found


def _of_losses(parameters: ThroughTimeParameters, curves: dict[str, list[Any]]) -> Figure:
    updates: list[float | int | None] = list(range(len(next(iter(curves.values())))))
    series = [
        Series(id=name, x=updates, y=one, style="dashed" if name == "mean_scaled" else "line")
        for name, one in curves.items()
        if name != "adam_mean"
    ]
    if parameters.loss == "last":
        ends: list[float | int | None] = [0, parameters.train_steps - 1]
        series.append(Series(id="constant", x=ends, y=[CONSTANT_MSE, CONSTANT_MSE], style="dashed"))
    return Figure("losses", LinesData(x=Axis(id="update"), y=Axis(id="loss", scale="log"), series=series))
