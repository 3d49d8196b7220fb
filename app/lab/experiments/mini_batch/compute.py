"""Runs the experiment: gradients of one batch first, then two trainings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ....contract.experiments import Axis, BarsData, LinesData, Number, Series, finite
from ...experiment import Figure, Update
from ...values import numbers
from . import MiniBatchParameters
from .findings import of_gradients, of_training
from .network import Source, Weights, accumulated, each, losses, noise_scale, sample_weights, start, whole

MEASURED = 1024
"""Samples that the noise scale is estimated from, and on which losses are measured."""

PIECES = 10


def run(parameters: MiniBatchParameters, seed: int) -> Iterator[Update]:
    """Draws the rule of the data, the weights, the batch, then what is measured on, then the trainings' batches."""
    generator = torch.Generator().manual_seed(seed)
    source, weights = start(generator)
    x, classes = source.draw(sum(parameters.sizes), generator)
    held_x, held_classes = source.draw(MEASURED, generator)
    gradients = each(weights, x, classes)
    found = _numbers(parameters, weights, x, classes)
    found["noise_scale"] = finite(noise_scale(each(weights, held_x, held_classes)))
    total = 1 + 2 * parameters.updates
    figures = (_weights(parameters), _cloud(parameters, gradients))
    findings = of_gradients(parameters, found)
    yield Update(1, total, figures, dict(found), findings)
    curves: dict[str, list[float]] = {}
    ratio = parameters.large_batch / parameters.small_batch
    scale = {"same": 1.0, "linear": ratio, "root": ratio**0.5}[parameters.rate_rule]
    trainings = {"small": (parameters.small_batch, 1.0), "large": (parameters.large_batch, scale)}
    for place, (name, (size, factor)) in enumerate(trainings.items()):
        curves[name] = []
        training = _train(parameters, source, weights, size, factor * parameters.rate, (held_x, held_classes), seed + 1)
        for loss in training:
            curves[name].append(loss)
            done = len(curves[name]) - 1
            if done and done % max(1, parameters.updates // PIECES) == 0 and done < parameters.updates:
                shown = figures + _curves(parameters, curves)
                yield Update(1 + place * parameters.updates + done, total, shown, dict(found), findings)
    found |= _of_curves(parameters, curves)
    yield Update(total, total, figures + _curves(parameters, curves), found, findings + of_training(parameters, found))


def _numbers(parameters: MiniBatchParameters, weights: Weights, x: Tensor, classes: Tensor) -> dict[str, Any]:
    exact = whole(weights, x, classes, parameters.batch_norm)
    got = accumulated(weights, x, classes, parameters.sizes, parameters.batch_norm, parameters.reduction)
    found: dict[str, Any] = {
        "weights": sample_weights(parameters.sizes, parameters.reduction),
        "right_weight": 1 / len(x),
        "difference": finite(float((got - exact).norm() / exact.norm())),
        "cosine": finite(float(got @ exact / (got.norm() * exact.norm()))),
        "length_ratio": finite(float(got.norm() / exact.norm())),
    }
    if parameters.batch_norm:
        rightly = accumulated(weights, x, classes, parameters.sizes, True, "mean")
        found["normalised_difference"] = finite(float((rightly - exact).norm() / exact.norm()))
    return found


def _train(
    parameters: MiniBatchParameters,
    source: Source,
    weights: Weights,
    size: int,
    rate: float,
    held: tuple[Tensor, Tensor],
    seed: int,
) -> Iterator[float]:
    """SGD on the mean of each batch; the loss on the held-out samples before each update and at the end."""
    generator = torch.Generator().manual_seed(seed)
    mine = [one.detach().clone().requires_grad_() for one in weights]
    rule = torch.optim.SGD(mine, lr=rate)
    for _ in range(parameters.updates):
        with torch.no_grad():
            yield float(losses(mine, *held, parameters.batch_norm).mean())
        rule.zero_grad()
        torch.autograd.backward(losses(mine, *source.draw(size, generator), parameters.batch_norm).mean())
        rule.step()
    with torch.no_grad():
        yield float(losses(mine, *held, parameters.batch_norm).mean())


def _of_curves(parameters: MiniBatchParameters, curves: dict[str, list[float]]) -> dict[str, Any]:
    """Losses after the same updates, and after the same samples."""
    samples = parameters.updates * min(parameters.small_batch, parameters.large_batch)
    early = max(1, parameters.updates // 10)
    return {
        "loss_small": numbers(curves["small"]),
        "loss_large": numbers(curves["large"]),
        "samples": samples,
        "small_at_samples": finite(curves["small"][samples // parameters.small_batch]),
        "large_at_samples": finite(curves["large"][samples // parameters.large_batch]),
        "early": early,
        "small_early": finite(curves["small"][early]),
        "large_early": finite(curves["large"][early]),
        "small_at_updates": finite(curves["small"][-1]),
        "large_at_updates": finite(curves["large"][-1]),
    }


def _weights(parameters: MiniBatchParameters) -> Figure:
    """What one sample weighs, part by part, beside what it should."""
    places: list[Number] = list(range(len(parameters.sizes)))
    right = [1 / sum(parameters.sizes)] * len(places)
    data = BarsData(
        labels=[str(size) for size in parameters.sizes],
        x=Axis(id="part_size"),
        y=Axis(id="weight", scale="log"),
        series=[
            Series(id="accumulated", x=places, y=numbers(sample_weights(parameters.sizes, parameters.reduction))),
            Series(id="right", x=places, y=numbers(right)),
        ],
    )
    return Figure("weights", data)


def _cloud(parameters: MiniBatchParameters, gradients: Tensor) -> Figure:
    """Each sample's gradient: along the mean, and along the direction across it in which they spread most."""
    mean = gradients.mean(0)
    along = mean / mean.norm().clamp(min=1e-300)
    rest = gradients - (gradients @ along)[:, None] * along
    across = torch.linalg.svd(rest - rest.mean(0), full_matrices=False)[2][0]
    samples = gradients[(gradients @ along).argsort()]
    # a sample's own gradient; with batch normalisation it would depend on the others
    series = [
        Series(id="samples", x=numbers(samples @ along), y=numbers(samples @ across), style="points"),
        Series(id="mean", x=[float(mean @ along)], y=[float(mean @ across)], style="points"),
    ]
    return Figure("cloud", LinesData(x=Axis(id="along"), y=Axis(id="across"), series=series))


def _curves(parameters: MiniBatchParameters, curves: dict[str, list[float]]) -> tuple[Figure, ...]:
    sizes = {"small": parameters.small_batch, "large": parameters.large_batch}
    by_update = [Series(id=name, x=list(range(len(one))), y=numbers(one)) for name, one in curves.items()]
    by_sample = [
        Series(id=name, x=[step * sizes[name] for step in range(len(one))], y=numbers(one))
        for name, one in curves.items()
    ]
    return (
        Figure("updates", LinesData(x=Axis(id="update"), y=Axis(id="loss"), series=by_update)),
        Figure("samples", LinesData(x=Axis(id="sample", scale="log"), y=Axis(id="loss"), series=_positive(by_sample))),
    )


def _positive(series: list[Series]) -> list[Series]:
    """Without the first point, at 0 samples, which a logarithmic axis does not have."""
    return [one.model_copy(update={"x": one.x[1:], "y": one.y[1:]}) for one in series]
