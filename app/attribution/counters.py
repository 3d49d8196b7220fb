"""What this process has computed so far, for the numbers that an operator sees."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counters:
    """Passes and gradients; only ever grows."""

    micro_batches: int = 0
    gradient_evaluations: int = 0

    def add(self, pictures: int, gradients: bool = True) -> None:
        """One pass of so many pictures, with their gradients or forwards only."""
        self.micro_batches += 1
        self.gradient_evaluations += pictures if gradients else 0


counters = Counters()
