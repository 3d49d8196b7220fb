"""Counts what this process has computed, for the operator's metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counters:
    """Numbers of passes and gradients; they only grow."""

    micro_batches: int = 0
    gradient_evaluations: int = 0

    def add(self, pictures: int, gradients: bool = True) -> None:
        """Count one pass with so many pictures, with or without gradients."""
        self.micro_batches += 1
        self.gradient_evaluations += pictures if gradients else 0


counters = Counters()
