"""A network for each estimator and seed, all trained at once from the same weights and on the same batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from . import BinaryParameters, Estimator
from .estimators import ESTIMATORS, ede_t
from .flips import Flips, flip
from .network import (
    BATCH,
    MIDDLE,
    SAMPLES,
    Ensemble,
    Group,
    Samples,
    entropy,
    latent_weights,
    problem,
    quantisation_error,
)

PROGRESSES = [step / 20 for step in range(21)]
"""Where the agreement of the estimators with the flips is taken."""

LOOKS = 15
"""How many times the networks are tested on the way."""

TOGETHER = 5
"""Updates between two turns of others."""


@dataclass
class Training:
    """What is known of a training: the updates at which it was looked at, and values (looks, groups, seeds)."""

    groups: tuple[Group, ...]
    at: list[int] = field(default_factory=list)
    accuracies: list[Tensor] = field(default_factory=list)
    entropies: list[Tensor] = field(default_factory=list)
    errors: list[Tensor] = field(default_factory=list)
    first: Tensor = field(default_factory=lambda: torch.zeros(0))
    """What the signs of the middle layer are taken of, in the networks of the estimator asked for; at the start."""
    last: Tensor = field(default_factory=lambda: torch.zeros(0))
    """The same at the end."""
    flips: Flips | None = None
    agreements: Tensor = field(default_factory=lambda: torch.zeros(0))
    """How well each estimator tells the flips, (estimators, progresses, seeds)."""

    @property
    def accuracy(self) -> Tensor:
        return self.accuracies[-1]


def groups_of(parameters: BinaryParameters) -> tuple[Group, ...]:
    """Each estimator as asked, then the one asked for with its weights balanced the other way."""
    same = tuple(Group(estimator, parameters.balanced) for estimator in ESTIMATORS)
    return (*same, Group(parameters.estimator, not parameters.balanced))


_kept: OrderedDict[tuple[BinaryParameters, int], Training] = OrderedDict()
KEPT = 8
"""The progress that is looked at changes nothing in a training: it is moved without training again."""


def train(parameters: BinaryParameters, seed: int) -> Iterator[tuple[int, Training]]:
    """Yields how many updates are done, and what is known so far."""
    key = parameters.model_copy(update={"progress": 0.0}), seed
    if key in _kept:
        _kept.move_to_end(key)
        yield parameters.train_steps, _kept[key]
        return
    found = Training(groups_of(parameters))
    yield from _train(parameters, seed, found)
    _kept[key] = found
    while len(_kept) > KEPT:
        _kept.popitem(last=False)


def _train(parameters: BinaryParameters, seed: int, found: Training) -> Iterator[tuple[int, Training]]:
    generator = torch.Generator().manual_seed(seed)
    latent = latent_weights(parameters.seeds, parameters.offset, generator)
    given, tested = problem(parameters.seeds, generator)
    networks = Ensemble(parameters, found.groups, latent)
    asked = ESTIMATORS.index(parameters.estimator)
    here, there = (one.repeated(len(found.groups)) for one in (given, tested))
    found.first = networks.latent(MIDDLE, asked).clone()
    steps = parameters.train_steps
    every = max(1, steps // LOOKS)
    for step in range(steps):
        if step % every == 0:
            _look(networks, found, step, there)
            yield step, found
        chosen = torch.randint(SAMPLES, (BATCH,), generator=generator)
        networks.learn(here.chosen(chosen), ede_t(parameters.t_min, parameters.t_max, step / steps))
        if step % TOGETHER == TOGETHER - 1:
            yield step + 1, found
    _look(networks, found, steps, there)
    found.last = networks.latent(MIDDLE, asked).clone()
    yield steps, found
    own = slice(asked * parameters.seeds, (asked + 1) * parameters.seeds)
    binary = [weight.detach()[own].clone() for weight in networks.quantised(1.0)]
    found.flips = flip(binary, given, generator)
    yield steps, found
    found.agreements = torch.stack([_agreements(parameters, found.flips, estimator) for estimator in ESTIMATORS])
    yield steps, found


def _agreements(parameters: BinaryParameters, flips: Flips, estimator: Estimator) -> Tensor:
    """(progresses, seeds): only EDE changes with the progress."""
    if estimator != "ede":
        return flips.agreement(estimator, 1.0).expand(len(PROGRESSES), -1)
    times = [ede_t(parameters.t_min, parameters.t_max, progress) for progress in PROGRESSES]
    return torch.stack([flips.agreement(estimator, t) for t in times])


def _look(networks: Ensemble, found: Training, step: int, tested: Samples) -> None:
    latent = [networks.latent(MIDDLE, group) for group in range(len(found.groups))]
    found.at.append(step)
    found.accuracies.append(networks.accuracy(tested))
    found.entropies.append(torch.stack([entropy(one) for one in latent]))
    found.errors.append(
        torch.stack([quantisation_error(one, group.balanced) for one, group in zip(latent, found.groups, strict=True)])
    )
