"""Gradients averaged over noisy copies of the picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ...engine import Engine
from ...noise import noise
from ..base import Attribution, Diagnostics, Method, Paper, Parameters, Progress, Steps, qualities, register
from ..running_mean import RunningMean
from .wiener import wiener


class SmoothGradParameters(Parameters):
    samples: int = Field(50, title="Samples", ge=1, le=2000, description="Noisy copies to average over")
    noise: float = Field(
        0.15, title="Noise", ge=0, le=2, description="Standard deviation, as a share of the picture's own range"
    )
    variant: Literal["mean", "squared", "variance"] = Field(
        "mean", title="Variant", description="Mean of g, mean of g² (SmoothGrad²), or variance of g (VarGrad)"
    )

    filter: Literal["none", "wiener"] = Field(
        "none",
        title="Filter",
        description="wiener: holds down what two halves of the samples do not agree on. With very many samples the "
        "map is the same as without",
    )

    @model_validator(mode="after")
    def _enough_samples(self) -> SmoothGradParameters:
        if self.variant == "variance" and self.samples < 2:
            raise ValueError("the variance needs samples ≥ 2")
        if self.filter == "wiener" and self.variant != "mean":
            raise ValueError("filter = wiener is of variant = mean")
        if self.filter == "wiener" and self.samples < 4:
            raise ValueError("filter = wiener compares two halves of the pairs of samples: it needs samples ≥ 4")
        return self


class Mean:
    """Running mean of gradients, in float64. `add` takes one gradient."""

    def __init__(self, like: Tensor) -> None:
        self.value, self.count = torch.zeros_like(like, dtype=torch.float64), 0

    def add(self, gradient: Tensor) -> None:
        self.count += 1
        self.value += (gradient - self.value).div_(self.count)


class MeanSquare(Mean):
    """Running mean of the squared gradients."""

    def add(self, gradient: Tensor) -> None:
        super().add(gradient.square())


class Variance(Mean):
    """Running population variance by Welford's recurrence: exactly 0 if all gradients are equal."""

    def __init__(self, like: Tensor) -> None:
        super().__init__(like)
        self.gradient_mean = Mean(like)

    def add(self, gradient: Tensor) -> None:
        deviation_before = gradient - self.gradient_mean.value
        self.gradient_mean.add(gradient)
        super().add(deviation_before * (gradient - self.gradient_mean.value))


RUNNING_STATISTICS: dict[str, type[Mean]] = {"mean": Mean, "squared": MeanSquare, "variance": Variance}


@register
class SmoothGrad(Method[SmoothGradParameters]):
    """Mean over k of g(x + ε_k), ε_k ~ N(0, (noise · (max x − min x))²), not clipped.

    Smilkov et al. 2017, arXiv:1706.03825. Variants: mean of g², and the population variance of g. For the mean,
    samples come in pairs with opposite noise, ε and −ε, which cancel more of the error than independent samples. The
    other two variants are even functions of the noise, so pairs would cancel less; their samples are independent
    (docs/convergence.md). The noise of a sample depends on the seed and its index only. Statistics are updated in
    float64, sample by sample, so the size of the micro-batch does not change the result. The variance uses Welford's
    recurrence: if all g are equal, it is exactly 0.

    With `filter` = wiener the mean is weighted, frequency by frequency in each part of the picture, by how far every
    other pair agrees with the rest: see `smooth_grad.wiener`. With many samples the weights become 1: the limit is the
    same, and fewer samples are closer to it (docs/convergence.md). Maps on the way are not filtered.

    Diagnostics: `standard_error` of the mean of g, over the means of its pairs, which are independent, and of the mean
    of g², over its samples: see `RunningMean`. With an odd number of samples the last one, without a partner, is left
    out of it. It is relative to the size of this map, noise and all; `limit_error` is relative to that of very many
    samples: e/√(1 − e²), since ‖mean‖² is ‖limit‖² and the noise's square; None where e ≥ 1. Of a filtered map there is
    `limit_error` alone.
    """

    id = "smooth_grad"
    title = "SmoothGrad"
    year = 2017
    family = "gradient"
    paper = Paper("SmoothGrad: removing noise by adding noise (Smilkov et al.)", "https://arxiv.org/abs/1706.03825")
    summary = "The mean gradient over noisy copies of the picture, in which its jumps cancel."
    strengths = ("Much less noisy than the gradient", "Works on top of any gradient, on any model")
    weaknesses = (
        "Costs one gradient for each noisy copy",
        "Depends on the noise: too little leaves the jumps, too much asks about another picture",
    )
    default = True
    relation_to_gradient = "mean"
    Parameters = SmoothGradParameters
    qualities = qualities("samples", 25, 200, 1000)

    def stochastic(self, parameters: SmoothGradParameters) -> bool:
        return parameters.noise > 0

    def cost(self, parameters: SmoothGradParameters, size: tuple[int, int]) -> int:
        return parameters.samples

    def attribute(self, engine: Engine, picture: Tensor, parameters: SmoothGradParameters, seed: int) -> Steps:
        deviation = parameters.noise * float(picture.max() - picture.min())
        draw_noise = mirrored if parameters.variant == "mean" else independent
        noises = draw_noise(lambda k: engine.to_device(noise(seed, k, picture.shape)), parameters.samples)
        noisy = (picture + deviation * sample_noise for sample_noise in noises)
        statistic = RUNNING_STATISTICS[parameters.variant](picture)
        zeros = torch.zeros_like(picture, dtype=torch.float64)
        samples = IndependentSamples(parameters.variant, zeros, halved=parameters.filter == "wiener")
        done = 0
        for batch in engine.batches(noisy):
            for gradient in engine.gradients(torch.stack(batch)).double():
                statistic.add(gradient)
                samples.add(gradient)
            done += len(batch)
            values = statistic.value.to(picture.dtype, copy=True)
            if done < parameters.samples or not samples.halves:
                yield Progress(done, parameters.samples, values)
        diagnostics: Diagnostics = {"gradient_evaluations": done}
        if samples.halves:
            filtered, diagnostics["limit_error"] = wiener(statistic.value, *(half.value for half in samples.halves))
            values = filtered.to(picture.dtype)
            yield Progress(done, parameters.samples, values)
        elif parameters.variant != "variance":
            error = diagnostics["standard_error"] = samples.running_mean.standard_error
            if error is not None:
                diagnostics["limit_error"] = error / math.sqrt(1 - error**2) if error < 1 else None
        return Attribution(values, diagnostics)


class IndependentSamples:
    """The running mean of what a variant averages over: pairs of g, or g². Takes the gradients one by one.

    `halves` are the means of every other pair, and of the rest.
    """

    def __init__(self, variant: str, zeros: Tensor, *, halved: bool = False) -> None:
        self.variant, self.running_mean = variant, RunningMean(zeros)
        self.halves = [Mean(zeros), Mean(zeros)] if halved else []
        self._first: Tensor | None = None

    def add(self, gradient: Tensor) -> None:
        if self.variant == "squared":
            self.running_mean.add(gradient.square())
        elif self.variant == "mean" and self._first is None:
            self._first = gradient
        elif self.variant == "mean" and self._first is not None:
            pair = (self._first + gradient).div_(2)
            if self.halves:
                self.halves[self.running_mean.count % 2].add(pair)
            self.running_mean.add(pair)
            self._first = None


def independent(draw: Callable[[int], Tensor], samples: int) -> Iterator[Tensor]:
    """ε₀, ε₁, …, where `draw(k)` is ε_k."""
    return map(draw, range(samples))


def mirrored(draw: Callable[[int], Tensor], samples: int) -> Iterator[Tensor]:
    """ε₀, −ε₀, ε₁, −ε₁, …; each is drawn once."""
    pairs = ((drawn, -drawn) for drawn in independent(draw, (samples + 1) // 2))
    return islice(chain.from_iterable(pairs), samples)
