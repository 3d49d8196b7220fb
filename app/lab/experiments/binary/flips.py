"""What an estimator's gradient says that the flip of a weight does, beside what it does."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from . import Estimator
from .network import Samples, losses, outputs

LOOKED_AT = 256  # samples
WEIGHTS = 32  # of each of the first two layers
LAYERS = (0, 1)  # behind the last layer there is no sign


@dataclass(frozen=True)
class Flips:
    """Weights that are flipped one at a time: which (layer → (unit, input) of each), and the change of the loss.

    `changes` is of shape (networks, flips).
    """

    weights: list[Tensor]
    samples: Samples
    places: dict[int, tuple[Tensor, Tensor]]
    changes: Tensor

    def told(self, estimator: Estimator, t: float) -> Tensor:
        """−2q · ∂L/∂q of the same weights q, with the estimator in the place of each unit's sign: first order."""
        leaves = [weight.detach().requires_grad_() for weight in self.weights]
        rows = [(estimator, len(leaves[0]))]
        loss = losses(outputs(leaves, self.samples.inputs, rows, t), self.samples.classes).sum()
        gradients = torch.autograd.grad(loss, leaves)
        found = [
            (-2 * leaves[layer].detach() * gradients[layer])[:, unit, given]
            for layer, (unit, given) in self.places.items()
        ]
        return torch.cat(found, 1)

    def agreement(self, estimator: Estimator, t: float) -> Tensor:
        """Correlation over the flips of what is told and what happens, for each network; 0 where nothing is told."""
        told, happens = (one - one.mean(1, keepdim=True) for one in (self.told(estimator, t), self.changes))
        sizes = (told.norm(dim=1) * happens.norm(dim=1)).clamp_min(1e-20)
        found: Tensor = (told * happens).sum(1) / sizes
        return found


@torch.no_grad()
def flip(weights: list[Tensor], samples: Samples, generator: torch.Generator) -> Flips:
    """Flips weights of the networks `weights` (networks, outputs, inputs), which are binary, one at a time."""
    samples = samples.chosen(torch.arange(LOOKED_AT))
    networks = len(weights[0])
    rows: list[tuple[Estimator, int]] = [("straight_through", networks)]  # nothing goes back here
    before = losses(outputs(weights, samples.inputs, rows, 1.0), samples.classes)
    places, changes = {}, []
    for layer in LAYERS:
        after, inputs = weights[layer].shape[1:]
        chosen = torch.randperm(after * inputs, generator=generator)[:WEIGHTS]
        places[layer] = unit, given = chosen // inputs, chosen % inputs
        flipped = weights[layer].repeat_interleave(WEIGHTS, 0).view(networks, WEIGHTS, after, inputs)
        flipped[:, torch.arange(WEIGHTS), unit, given] *= -1
        for one in range(WEIGHTS):
            tried = [flipped[:, one] if place == layer else weight for place, weight in enumerate(weights)]
            changes.append(losses(outputs(tried, samples.inputs, rows, 1.0), samples.classes) - before)
    return Flips(weights, samples, places, torch.stack(changes, 1))
