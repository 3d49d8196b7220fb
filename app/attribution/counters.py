"""Counts the passes and gradients of this process, for the operator's monitoring."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counters:
    """Numbers of passes and gradients since the process started."""

    micro_batches: int = 0
    gradient_evaluations: int = 0

    def add(self, pictures: int, gradients: bool = True) -> None:
        """Count one pass of `pictures` pictures, and their gradients if it computed any."""
        self.micro_batches += 1
        self.gradient_evaluations += pictures if gradients else 0


counters = Counters()
