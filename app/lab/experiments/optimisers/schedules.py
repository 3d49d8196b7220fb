"""How a learning rate changes over a descent, as a factor of the first rate."""

from __future__ import annotations

import math

from . import Schedule


def factor(schedule: Schedule, step: int, steps: int) -> float:
    """The factor at a step, from 0.

    step: halved after each quarter; multistep: a tenth after a half and after three quarters; exponential: down to
    1/100; inverse: 1/(1 + 9t/T); polynomial: (1 − t/T)²; cosine: (1 + cos πt/T)/2; warm-up: rising over a tenth.
    """
    done = step / steps
    factors: dict[Schedule, float] = {
        "fixed": 1.0,
        "step": 0.5 ** math.floor(4 * done),
        "multistep": 0.1 ** ((done >= 0.5) + (done >= 0.75)),
        "exponential": 0.01**done,
        "inverse": 1 / (1 + 9 * done),
        "polynomial": (1 - done) ** 2,
        "cosine": (1 + math.cos(math.pi * done)) / 2,
        "warmup": min(1.0, (step + 1) / math.ceil(steps / 10)),
    }
    return factors[schedule]
