"""All networks at once, an example a step. Gradients are written out: autograd would take most of the time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import Algorithm, PlasticityParameters
from .problem import BITS
from .utility import INNER_BOUND, Replacement, uniform

BETAS, EPSILON = (0.9, 0.999), 1e-8
ALGORITHMS: tuple[Algorithm, ...] = ("backprop", "l2", "continual", "adam")
"""Adam last: the others share a step."""


class Learners:
    """Networks y = v · relu(W x) + c with the loss ½(y − y*)², a row for each seed of each algorithm.

    A step is a handful of calls on tensors that hold all networks: with 5 hidden units the time is that of the calls,
    not of the arithmetic. The rows of an algorithm stand together, and all weights of a row in one line.
    """

    def __init__(
        self, parameters: PlasticityParameters, algorithms: Sequence[Algorithm], generator: torch.Generator
    ) -> None:
        self.parameters, self.algorithms = parameters, algorithms
        seeds, hidden, wide = parameters.seeds, parameters.hidden, BITS + 1
        rows = seeds * len(algorithms)
        first = hidden * wide
        self.weights = torch.zeros(rows, first + hidden + 1)
        self.gradients = torch.zeros_like(self.weights)
        self.inner, self._inner_gradients = (
            each[:, :first].view(rows, hidden, wide) for each in (self.weights, self.gradients)
        )
        self.outer, self._outer_gradients = (
            each[:, first:].view(rows, 1, hidden + 1) for each in (self.weights, self.gradients)
        )
        times = len(algorithms)
        self.inner[:, :, :BITS] = uniform(INNER_BOUND, (seeds, hidden, BITS), generator).repeat(times, 1, 1)
        self.outer[:, :, :hidden] = uniform((3 / hidden) ** 0.5, (seeds, 1, hidden), generator).repeat(times, 1, 1)
        self._sums = torch.zeros(rows, hidden, 1)
        self._slopes = torch.zeros(rows, hidden, 1)
        self._answers = torch.zeros(rows, 1, 1)
        self._units = torch.ones(rows, hidden + 1, 1)  # the last is the output's bias
        self.steps = 0
        self._prepare()
        self.replacement = (
            Replacement(parameters, self.of("continual", self.inner), self.of("continual", self.outer), generator)
            if "continual" in algorithms
            else None
        )

    def _prepare(self) -> None:
        """Views that the steps need, made once."""
        self._active = self._units[:, : self.parameters.hidden]
        self._units_across = self._units.transpose(1, 2)
        self._outer_down = self.outer[:, :, : self.parameters.hidden].transpose(1, 2)
        descending = [name for name in self.algorithms if name != "adam"]
        plain = slice(0, len(descending) * self.parameters.seeds)
        if list(self.algorithms[: len(descending)]) != descending:
            raise ValueError("Adam's rows are the last")
        self._plain, self._plain_gradients = self.weights[plain], self.gradients[plain]
        self._decayed = self.of("l2", self.weights) if "l2" in self.algorithms else None
        if "adam" in self.algorithms:
            self._adam, self._adam_gradients = self.of("adam", self.weights), self.of("adam", self.gradients)
            self._first, self._second, self._size = (torch.zeros_like(self._adam) for _ in range(3))

    def of(self, algorithm: Algorithm, rows: Tensor) -> Tensor:
        """The rows of an algorithm."""
        place = self.algorithms.index(algorithm) * self.parameters.seeds
        return rows[place : place + self.parameters.seeds]

    def learn(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """A step for each of the inputs (steps, seeds, BITS + 1); y − y* before each, of shape (steps, rows)."""
        times, rows = len(self.algorithms), len(self.weights)
        steps = len(inputs)
        columns = inputs.repeat(1, times, 1)[..., None]
        wanted = targets.repeat(1, times).view(steps, rows, 1, 1)
        errors = torch.empty(steps, rows, 1, 1)
        each = zip(columns.unbind(), columns.transpose(2, 3).unbind(), wanted.unbind(), errors.unbind(), strict=True)
        for column, row, target, error in each:
            self._gradient(column, row, target, error)
            self._update()
        return errors.view(steps, rows)

    def _gradient(self, column: Tensor, row: Tensor, target: Tensor, error: Tensor) -> None:
        torch.bmm(self.inner, column, out=self._sums)
        torch.clamp_min(self._sums, 0, out=self._active)
        torch.bmm(self.outer, self._units, out=self._answers)
        torch.sub(self._answers, target, out=error)
        torch.mul(error, self._units_across, out=self._outer_gradients)
        torch.mul(error, self._outer_down, out=self._slopes)
        torch.ops.aten.threshold_backward.grad_input(self._slopes, self._active, 0, grad_input=self._slopes)
        torch.mul(self._slopes, row, out=self._inner_gradients)

    def _update(self) -> None:
        asked = self.parameters
        self.steps += 1
        if self._decayed is not None:
            self._decayed.mul_(1 - asked.rate * asked.decay)
        self._plain.sub_(self._plain_gradients, alpha=asked.rate)
        if "adam" in self.algorithms:
            self._adam_step()
        if self.replacement:
            self.replacement.saw(self.of("continual", self._active), self.of("continual", self.weights))

    def _adam_step(self) -> None:
        """torch.optim.Adam, with its corrections in the rate and in ε."""
        first, second = 1 - BETAS[0] ** self.steps, (1 - BETAS[1] ** self.steps) ** 0.5
        self._first.lerp_(self._adam_gradients, 1 - BETAS[0])
        self._second.mul_(BETAS[1]).addcmul_(self._adam_gradients, self._adam_gradients, value=1 - BETAS[1])
        torch.sqrt(self._second, out=self._size)
        self._size.add_(EPSILON * second)
        self._adam.addcdiv_(self._first, self._size, value=-self.parameters.adam_rate * second / first)

    def units(self, inputs: Tensor) -> Tensor:
        """Hidden units for inputs (steps, seeds, BITS + 1), of shape (rows, steps, hidden)."""
        given = inputs.transpose(0, 1).repeat(len(self.algorithms), 1, 1)
        return torch.relu(given @ self.inner.transpose(1, 2))
