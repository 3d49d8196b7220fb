"""Trainings on a small task, all networks of all seeds at once: one network, many apart, one with dropout."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from . import DropoutParameters
from .masks import ACTIVATIONS, CLASSES

INPUTS, FACTORS, WIDTH, HELD = 20, 8, 48, 1000
NOISE, RATE = 0.5, 0.01


class Trainings:
    """Of each seed: `nets` networks on samples drawn with replacement, one on all samples, one on all with dropout.

    The class of an input x is the largest of tanh(x A) C + noise. A network has a first layer of 48 units, `layers`
    more, and a softmax; dropout is applied to every hidden unit. Adam on the mean loss of all samples, in float32.
    """

    def __init__(self, parameters: DropoutParameters, seed: int) -> None:
        self.parameters = parameters
        self.generator = torch.Generator().manual_seed(seed)
        rules = (self._normal(INPUTS, FACTORS) * 2 / INPUTS**0.5, self._normal(FACTORS, CLASSES))
        self.x, self.classes = self._draw(rules, parameters.samples)
        self.held_x, self.held_classes = self._draw(rules, HELD)
        self.weights, self.biases = self._start()
        self.counts = self._counts()
        self.rule = torch.optim.Adam([*self.weights, *self.biases], lr=RATE)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def _draw(self, rules: tuple[Tensor, Tensor], number: int) -> tuple[Tensor, Tensor]:
        x = self._normal(self.parameters.seeds, number, INPUTS)
        scores = torch.tanh(x @ rules[0]) @ rules[1]
        return x, (scores + NOISE * self._normal(*scores.shape)).argmax(-1)

    def _start(self) -> tuple[list[Tensor], list[Tensor]]:
        shape = self.parameters.seeds, self.parameters.nets + 2
        sizes = [INPUTS, WIDTH, *[WIDTH] * self.parameters.layers, CLASSES]
        weights = [self._normal(*shape, inputs, outputs) * (2 / inputs) ** 0.5 for inputs, outputs in pairwise(sizes)]
        biases = [torch.zeros(*shape, 1, outputs) for outputs in sizes[1:]]
        return [one.requires_grad_() for one in weights], [one.requires_grad_() for one in biases]

    def _counts(self) -> Tensor:
        """How often each network sees each sample: as often as it was drawn, or once."""
        seeds, nets, samples = self.parameters.seeds, self.parameters.nets, self.parameters.samples
        counts = torch.ones(seeds, nets + 2, samples)
        drawn = torch.randint(samples, (seeds, nets, samples), generator=self.generator)
        counts[:, :nets] = torch.zeros(seeds, nets, samples).scatter_add_(2, drawn, torch.ones(seeds, nets, samples))
        return counts

    def steps(self) -> Iterator[int]:
        """Trains; yields the number of steps done."""
        labels = self.classes[:, None].expand(self.counts.shape)
        for step in range(1, self.parameters.steps + 1):
            self.rule.zero_grad()
            logits = self._logits(self.x)
            losses = F.cross_entropy(logits.flatten(0, 2), labels.flatten(), reduction="none")
            torch.autograd.backward((losses.view_as(self.counts) * self.counts).mean(2).sum())
            self.rule.step()
            yield step

    def _logits(self, x: Tensor) -> Tensor:
        """All networks in training, (seeds, networks, samples, classes); the last one's units are dropped."""
        h = x[:, None]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = self._activated(h @ weight + bias)
            h = torch.cat([h[:, :-1], self._dropped(h[:, -1:])], 1)
        return h @ self.weights[-1] + self.biases[-1]

    def _activated(self, h: Tensor) -> Tensor:
        return ACTIVATIONS[self.parameters.activation](h)

    def _dropped(self, h: Tensor) -> Tensor:
        p = self.parameters.p
        return h * (torch.rand(h.shape, generator=self.generator) >= p) / (1 - p)

    @torch.no_grad()
    def errors(self) -> dict[str, Tensor]:
        """Share of held-out samples whose class is wrong, of each seed.

        `single`, `scaled` (dropout, whole network): (seeds,). `bagging`, `sampled`: (seeds, nets), of the arithmetic
        mean of the first k networks, or of k masks drawn for the network trained with dropout, as one draws them:
        the same mask for all samples, so that each is one network.
        """
        h = self.held_x[:, None]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = self._activated(h @ weight + bias)
        outputs = F.softmax(h @ self.weights[-1] + self.biases[-1], -1)
        nets = self.parameters.nets
        averaged = outputs[:, :nets].cumsum(1)
        sampled = torch.stack([self._one_mask() for _ in range(nets)], 1).cumsum(1)
        return {
            "single": self._wrong(outputs[:, nets]),
            "scaled": self._wrong(outputs[:, nets + 1]),
            "bagging": self._wrong(averaged),
            "sampled": self._wrong(sampled),
        }

    def _one_mask(self) -> Tensor:
        """What one thinned network answers, (seeds, held, classes)."""
        h = self.held_x
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = self._activated(h @ weight[:, -1] + bias[:, -1])
            h = h * self._dropped(torch.ones(len(h), 1, WIDTH))
        return F.softmax(h @ self.weights[-1][:, -1] + self.biases[-1][:, -1], -1)

    def _wrong(self, outputs: Tensor) -> Tensor:
        """Of outputs (seeds, …, held, classes): (seeds, …), in float64."""
        classes = self.held_classes.view(len(outputs), *[1] * (outputs.dim() - 3), HELD)
        return (outputs.argmax(-1) != classes).double().mean(-1)
