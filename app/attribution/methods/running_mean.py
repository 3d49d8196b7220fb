"""The mean over random samples, and its standard error: what it may be off by."""

from __future__ import annotations

import math

from torch import Tensor
from torch.linalg import vector_norm


class RunningMean:
    """The running mean of independent samples, (C, H, W) in float64, and its standard error. It writes into `zeros`.

    By Welford's recurrence (1962, doi:10.1080/00401706.1962.10490022), summed over all values: if all samples are
    equal, the standard error is exactly 0.
    """

    def __init__(self, zeros: Tensor) -> None:
        self.mean, self.count = zeros, 0
        self._squares = zeros.new_zeros(())  # a tensor: a number would wait for the GPU at each sample

    def add(self, sample: Tensor) -> None:
        self.count += 1
        before = sample - self.mean
        self.mean.add_(before, alpha=1 / self.count)
        self._squares += (self.count - 1) / self.count * vector_norm(before).square()  # (x − old) · (x − new mean)

    @property
    def standard_error(self) -> float | None:
        """√(Σ_k ‖sample_k − mean‖² / (n (n − 1))) / ‖mean‖; None of fewer than two samples, or a mean of zeros."""
        size = float(self.mean.norm())
        if self.count < 2 or not size:
            return None
        return math.sqrt(max(float(self._squares), 0.0) / (self.count * (self.count - 1))) / size
