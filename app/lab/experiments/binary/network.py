"""Small networks with binary weights and binary units, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from . import BinaryParameters, Estimator
from .estimators import sign

INPUTS, HIDDEN, CLASSES = 16, 48, 4
SIZES = (INPUTS, HIDDEN, HIDDEN, CLASSES)
MIDDLE = 1
"""The layer whose weights are looked at."""
SAMPLES, TESTED, BATCH = 1024, 512, 64
TEACHER = 32
GAIN = 2.0
"""Factor of the normalised outputs before softmax."""


@dataclass(frozen=True)
class Group:
    """Networks that are trained alike, one for each seed."""

    estimator: Estimator
    balanced: bool


@dataclass(frozen=True)
class Samples:
    """Inputs (networks, INPUTS, samples) and classes (networks, samples)."""

    inputs: Tensor
    classes: Tensor

    def repeated(self, times: int) -> Samples:
        return Samples(self.inputs.repeat(times, 1, 1), self.classes.repeat(times, 1))

    def chosen(self, places: Tensor) -> Samples:
        return Samples(self.inputs[:, :, places], self.classes[:, places])


def problem(seeds: int, generator: torch.Generator) -> tuple[Samples, Samples]:
    """Samples to train and others to test with: normal inputs, classes by a random network of real weights."""
    first = torch.randn(seeds, TEACHER, INPUTS, generator=generator) * (2 / INPUTS) ** 0.5
    second = torch.randn(seeds, CLASSES, TEACHER, generator=generator)
    inputs = torch.randn(seeds, INPUTS, SAMPLES + TESTED, generator=generator)
    answers = second @ torch.tanh(first @ inputs)
    classes = F.layer_norm(answers, answers.shape[-1:]).argmax(1)  # every class is about as frequent
    given, tested = torch.arange(SAMPLES), torch.arange(SAMPLES, SAMPLES + TESTED)
    return Samples(inputs, classes).chosen(given), Samples(inputs, classes).chosen(tested)


def latent_weights(seeds: int, offset: float, generator: torch.Generator) -> list[Tensor]:
    """Real weights at the start, (seeds, outputs, inputs), with variance 1 / inputs."""
    return [
        (torch.randn(seeds, after, before, generator=generator) + offset) * before**-0.5
        for before, after in pairwise(SIZES)
    ]


def standardised(weight: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the inputs of each unit, as Libra has them before the sign."""
    return F.layer_norm(weight, weight.shape[-1:], eps=1e-12)


def scale(weight: Tensor, balanced: bool) -> Tensor:
    """What a unit's signs are multiplied by: mean |w|; with Libra the power of two whose exponent is nearest."""
    size = weight.detach().abs().mean(-1, keepdim=True).clamp_min(1e-12)
    return torch.exp2(torch.round(torch.log2(size))) if balanced else size


def normalised(sums: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the samples, the last dimension, for each unit of each network."""
    networks, units, samples = sums.shape
    flat = F.batch_norm(sums.reshape(1, networks * units, samples), None, None, training=True)
    return flat.view(networks, units, samples)


def outputs(weights: Sequence[Tensor], inputs: Tensor, rows: Sequence[tuple[Estimator, int]], t: float) -> Tensor:
    """Logits (networks, CLASSES, samples) for weights that are binary already.

    Each layer is normalised over the samples that are passed. Units are signs; their gradient is that of `rows`.
    """
    units = inputs
    for weight in weights[:-1]:
        units = sign(normalised(weight @ units), rows, t)
    return GAIN * normalised(weights[-1] @ units)


def losses(logits: Tensor, classes: Tensor) -> Tensor:
    """Cross-entropy of each network, (networks)."""
    return F.cross_entropy(logits, classes, reduction="none").mean(1)


class Ensemble:
    """Networks of several groups, all from the same latent weights: rows `seeds * group + seed`."""

    def __init__(self, parameters: BinaryParameters, groups: Sequence[Group], latent: Sequence[Tensor]) -> None:
        self.parameters, self.groups = parameters, tuple(groups)
        self.rows = [(group.estimator, parameters.seeds) for group in groups]
        self.weights = [one.repeat(len(groups), 1, 1).requires_grad_() for one in latent]
        self.optimiser = torch.optim.Adam(self.weights, lr=parameters.rate)

    def quantised(self, t: float) -> list[Tensor]:
        """Binary weights of all networks, (networks, outputs, inputs)."""
        return [self._quantised(weight, t) for weight in self.weights]

    def _quantised(self, weight: Tensor, t: float) -> Tensor:
        parts = zip(self.groups, torch.split(weight, self.parameters.seeds), strict=True)
        whole = [(group, standardised(part) if group.balanced else part) for group, part in parts]
        scales = torch.cat([scale(part, group.balanced) for group, part in whole])
        return sign(torch.cat([part for _, part in whole]), self.rows, t) * scales

    def learn(self, samples: Samples, t: float) -> None:
        """One update."""
        self.optimiser.zero_grad()
        logits = outputs(self.quantised(t), samples.inputs, self.rows, t)
        torch.autograd.backward(losses(logits, samples.classes).sum())
        self.optimiser.step()

    @torch.no_grad()
    def accuracy(self, samples: Samples) -> Tensor:
        """The share of right answers, (groups, seeds)."""
        logits = outputs(self.quantised(1.0), samples.inputs, self.rows, 1.0)
        right = (logits.argmax(1) == samples.classes).float().mean(1)
        return right.view(len(self.groups), self.parameters.seeds)

    def latent(self, layer: int, group: int) -> Tensor:
        """What a group's signs are taken of, (seeds, outputs, inputs): its weights, standardised where it balances."""
        part = torch.split(self.weights[layer].detach(), self.parameters.seeds)[group]
        return standardised(part) if self.groups[group].balanced else part


def entropy(latent: Tensor) -> Tensor:
    """Bits that a unit's signs carry each: −p log₂ p − (1 − p) log₂(1 − p), p the share of 1; mean for each network."""
    share = (latent >= 0).to(latent.dtype).mean(-1)
    bits = -torch.xlogy(share, share) - torch.xlogy(1 - share, 1 - share)
    return bits.mean(-1) / torch.log(torch.tensor(2.0))


def quantisation_error(latent: Tensor, balanced: bool) -> Tensor:
    """‖w − q‖²/‖w‖² of each unit, w what the signs q are taken of; mean for each network."""
    binary = torch.copysign(scale(latent, balanced).expand_as(latent), latent)
    return ((latent - binary).square().sum(-1) / latent.square().sum(-1)).mean(-1)
