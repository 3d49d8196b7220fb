"""A small classifier, its data, and its gradients: of each sample, of parts that are accumulated, of the whole."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

INPUTS, HIDDEN, CLASSES = 8, 16, 4
TOGETHER = 64
Weights = list[Tensor]


@dataclass(frozen=True)
class Source:
    """Where samples come from: normal inputs, the class from a linear rule with noise."""

    rule: Tensor

    def draw(self, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Inputs (number, 8) and classes (number,)."""
        x = torch.randn(number, INPUTS, generator=generator, dtype=torch.float64)
        noise = torch.randn(number, CLASSES, generator=generator, dtype=torch.float64)
        return x, (x @ self.rule + noise).argmax(1)


def start(generator: torch.Generator) -> tuple[Source, Weights]:
    """The rule of the data, then weights of variance 1 over the number of inputs; biases 0."""
    rule = torch.randn(INPUTS, CLASSES, generator=generator, dtype=torch.float64)
    first = torch.randn(INPUTS, HIDDEN, generator=generator, dtype=torch.float64) / INPUTS**0.5
    second = torch.randn(HIDDEN, CLASSES, generator=generator, dtype=torch.float64) / HIDDEN**0.5
    biases = [torch.zeros(number, dtype=torch.float64) for number in (HIDDEN, CLASSES)]
    return Source(rule), [one.requires_grad_() for one in (first, biases[0], second, biases[1])]


def losses(weights: Weights, x: Tensor, classes: Tensor, batch_norm: bool) -> Tensor:
    """Each sample's cross-entropy. Batch normalisation is over the samples that are here."""
    first, bias, second, last = weights
    u = x @ first + bias
    if batch_norm:
        u = (u - u.mean(0)) / (u.var(0, correction=0) + 1e-5).sqrt()
    return F.cross_entropy(torch.tanh(u) @ second + last, classes, reduction="none")


def flat(gradients: tuple[Tensor, ...]) -> Tensor:
    """All gradients as one vector."""
    return torch.cat([one.flatten() for one in gradients])


def each(weights: Weights, x: Tensor, classes: Tensor) -> Tensor:
    """Each sample's gradient, (samples, weights), of a few samples at a time: the work grows with their square."""
    found = []
    for part, labels in zip(torch.split(x, TOGETHER), torch.split(classes, TOGETHER), strict=True):
        every = losses(weights, part, labels, False)
        one_each = torch.eye(len(part), dtype=torch.float64)
        rows = torch.autograd.grad(every, weights, one_each, is_grads_batched=True)
        found.append(torch.cat([row.flatten(1) for row in rows], 1))
    return torch.cat(found)


def sample_weights(sizes: list[int], reduction: str) -> list[float]:
    """What one sample of each part weighs in the accumulated gradient."""
    if reduction == "mean_of_means":
        return [1 / (len(sizes) * size) for size in sizes]
    return [1.0 if reduction == "sum" else 1 / sum(sizes)] * len(sizes)


def accumulated(
    weights: Weights, x: Tensor, classes: Tensor, sizes: list[int], batch_norm: bool, reduction: str
) -> Tensor:
    """The parts' gradients, one pass after the other, added up."""
    found = torch.zeros(sum(one.numel() for one in weights), dtype=torch.float64)
    shares = sample_weights(sizes, reduction)
    for part, labels, share in zip(torch.split(x, sizes), torch.split(classes, sizes), shares, strict=True):
        loss = losses(weights, part, labels, batch_norm).sum() * share
        found += flat(torch.autograd.grad(loss, weights))
    return found


def whole(weights: Weights, x: Tensor, classes: Tensor, batch_norm: bool) -> Tensor:
    """The gradient of the mean over the whole batch, in one pass."""
    return flat(torch.autograd.grad(losses(weights, x, classes, batch_norm).mean(), weights))


def noise_scale(gradients: Tensor) -> float:
    """tr Σ / |G|², both without bias: |G|² is the mean's square less tr Σ / n, of n samples' gradients."""
    number = len(gradients)
    spread = float(gradients.var(0).sum())
    size = float(gradients.mean(0) @ gradients.mean(0)) - spread / number
    return spread / size if size > 0 else float("inf")
