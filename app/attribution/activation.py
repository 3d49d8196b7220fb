"""Logits from the probabilities of a network that ends in a softmax or in sigmoids."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Activation = Literal["softmax", "sigmoid"]


def undone(probabilities: Tensor, activation: Activation) -> Tensor:
    """Logits y with activation(y) = p, (N, classes): log p for a softmax, log p − log(1 − p) for sigmoids.

    Those of a softmax are log-probabilities: the network's own logits less one number for all classes, which the
    probabilities do not tell any more. p is taken to be at least the smallest normal number, and 1 − p at least the
    distance of 1 to the next one: rounding has left nothing below that, and the gradient there is 0.
    """
    kind = torch.finfo(probabilities.dtype)
    log = probabilities.clamp_min(kind.tiny).log()
    return log if activation == "softmax" else log - (1 - probabilities).clamp_min(kind.eps).log()


def activation_fault(rows: Tensor, activation: Activation, tolerance: float) -> str | None:
    """Why answers, (N, classes), are not what that activation gives; None where they may be."""
    low, high = float(rows.min()), float(rows.max())
    if not (low >= 0 and high <= 1):
        return f"its answers lie between {low:.3g} and {high:.3g}, and probabilities between 0 and 1"
    total = float(rows.double().sum(1)[0])
    if activation == "softmax" and abs(total - 1) > tolerance:
        return f"the classes of a picture sum to {total:.4g}, and those of a softmax to 1"
    return None
