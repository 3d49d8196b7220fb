"""Equal error: how many steps does each library need to come as near to the integral as the peer does at its 50?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.methods.blur import blur
from torch import Tensor

from .measure import print_progress
from .own_methods import Run
from .peers import MAX_SIGMA
from .rounding import distance
from .subjects import WORK, Subject

FINE = 1000  # steps of a reference
PEER_STEPS = 50
LADDER = (4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50,
          56, 64, 72, 80, 90, 100, 128, 160, 200, 256, 320, 400)  # fmt: skip
BATCH = 4


@dataclass(frozen=True)
class Need:
    """Steps that a library needs for an error, and the error that it then has; None if even the last of `LADDER` is not
    enough."""

    steps: int | None
    error: float


def needed(run: Run, reference: np.ndarray, goal: float, start: int = PEER_STEPS) -> Need:
    """The fewest steps of `LADDER` with an error of `goal` or less.

    If `start` steps are enough, it goes down from there and stops at the first number that is not: an even smaller one
    that happens to be good does not count. Else it goes up.
    """
    at = LADDER.index(start)
    error = distance(run(start), reference)
    if error > goal:
        for steps in LADDER[at + 1 :]:
            error = distance(run(steps), reference)
            if error <= goal:
                return Need(steps, error)
        return Need(None, error)
    found = Need(start, error)
    for steps in reversed(LADDER[:at]):
        error = distance(run(steps), reference)
        if error > goal:
            break
        found = Need(steps, error)
    return found


def reference(subject: Subject, method: str, fine: int = FINE) -> np.ndarray:
    """The path's integral by `fine` steps, kept on disk. By rules that neither Gradoscope nor the peer uses,
    and without their code except the blur.

    Integrated gradients: the midpoints of α. Blur: increments over equal cells of √σ, the gradient at their middles.
    """
    path = WORK / "references" / f"{_key(subject, method, fine)}.npy"
    if path.exists():
        found: np.ndarray = np.load(path)
        return found
    print_progress(f"  reference of {method}: {fine} gradients, once")
    points = _straight(subject, fine) if method == "integrated_gradients" else _blurred(subject, fine)
    engine = Engine(subject.classifier, subject.score, micro_batch=BATCH)
    total = torch.zeros_like(subject.x, dtype=torch.float64)
    for batch in engine.batches(points):
        gradients = engine.gradients(torch.stack([point for point, _ in batch]))
        for gradient, (_, increment) in zip(gradients, batch, strict=True):
            total += gradient.double() * increment.double()
    values = total.float().cpu().numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)
    return values


def _straight(subject: Subject, fine: int) -> Iterator[tuple[Tensor, Tensor]]:
    for i in range(fine):
        yield subject.x * ((i + 0.5) / fine), subject.x / fine


def _blurred(subject: Subject, fine: int) -> Iterator[tuple[Tensor, Tensor]]:
    sharp = subject.x
    for i in range(fine):
        softer = blur(subject.x, MAX_SIGMA * ((i + 1) / fine) ** 2)
        yield blur(subject.x, MAX_SIGMA * ((i + 0.5) / fine) ** 2), sharp - softer
        sharp = softer


def _key(subject: Subject, method: str, fine: int) -> str:
    """All that a reference depends on."""
    digest = hashlib.sha256(f"{subject.target} {method} {fine} {MAX_SIGMA}".encode())
    digest.update(subject.x.cpu().numpy().tobytes())
    for tensor in subject.theirs.network.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return f"{subject.name}-{method}-{fine}-{digest.hexdigest()[:16]}"
