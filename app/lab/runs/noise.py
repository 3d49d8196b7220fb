"""The gradient noise scale of a run (arXiv:1812.06162): how many samples average their noise out.

tr Σ is the variance of one sample's gradient, |G|² the square of the true gradient; the simple noise scale is
tr Σ / |G|². Both need gradients of two batch sizes. With gradient accumulation the micro-batches are the small size
and the whole step is the large one. Without it, two successive steps are the small size and both together the large
one: the weights moved by one update in between, which is taken as nothing. Each step gives one noisy estimate, which
may be negative; a reader averages both numbers over many steps before dividing, as the paper does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .hooks import Hook, Hooks
from .norms import dot, norms


@dataclass(frozen=True)
class Estimate:
    trace: float
    """tr Σ, for one sample"""
    square: float
    """|G|²"""
    source: str

    @classmethod
    def of(cls, small: float, large: float, size: float, parts: int, source: str) -> Estimate | None:
        """From the mean square `small` of gradients of `size` samples, and that of the mean of `parts` of them.

        |G|² = (B·large − b·small) / (B − b), tr Σ = (small − large) / (1/b − 1/B), with B = parts·b.
        """
        whole = size * parts
        square = (whole * large - size * small) / (whole - size)
        trace = (small - large) / (1 / size - 1 / whole)
        return cls(trace, square, source) if math.isfinite(square) and math.isfinite(trace) else None


class SuccessiveSteps:
    """Estimates from the gradients of two steps, of which the first is kept for the time of one step."""

    def __init__(self) -> None:
        self._kept: list[Tensor] = []
        self._of: tuple[list[int], int, float] = [], 0, 0.0  # parameters, samples, square

    @torch.no_grad()
    def keep(self, parameters: Sequence[nn.Parameter], samples: int | None, scale: float) -> None:
        grads = _dense_grads(parameters)
        if not grads or not samples:
            return
        self._kept = [one.detach() * scale for one in grads] if scale != 1 else [one.detach().clone() for one in grads]
        square = math.fsum(value * value for value in norms(self._kept))
        self._of = [id(one) for one in parameters if one.grad is not None], samples, square

    def estimate(
        self, parameters: Sequence[nn.Parameter], samples: int | None, square: float, scale: float
    ) -> Estimate | None:
        """With the next step's gradients, whose square is known; None where the two steps do not compare."""
        kept, (known, size, before) = self._kept, self._of
        self._kept = []
        grads = _dense_grads(parameters)
        if not kept or samples != size or known != [id(one) for one in parameters if one.grad is not None]:
            return None
        if any(a.shape != b.shape or a.dtype != b.dtype for a, b in zip(kept, grads, strict=True)):
            return None
        together = (square + before + 2 * scale * dot(kept, grads)) / 4
        return Estimate.of((square + before) / 2, together, size, 2, "successive")

    def clear(self) -> None:
        self._kept = []


class MicroBatches:
    """Estimates from the backward passes of one step, seen by hooks of the parameters."""

    def __init__(self) -> None:
        self._hooks = Hooks()
        self._parts: dict[int, list[Tensor]] = {}
        self._sums: dict[int, Tensor] = {}
        self._latest: dict[int, tuple[Tensor, bool]] = {}  # its norm, and whether nothing was there to add it to

    def begin(self, parameters: Sequence[nn.Parameter]) -> None:
        self.close()
        for number, one in enumerate(parameters):
            if one.requires_grad and one.is_leaf:
                self._hooks.add(one.register_hook(Hook(self._part, number, one)))  # type: ignore[no-untyped-call]
                self._hooks.add(one.register_post_accumulate_grad_hook(Hook(self._sum, number)))  # type: ignore[no-untyped-call]

    def estimate(self, sizes: Sequence[int]) -> Estimate | None:
        """None where there was one backward pass, or where passes differ in size or in the parameters they reach."""
        parts, sums = self._parts, self._sums
        self._parts, self._sums = {}, {}
        passes = {len(one) for one in parts.values()}
        count = max(passes, default=0)
        if count < 2 or passes != {count} or len(sizes) != count or len(set(sizes)) != 1 or set(parts) != set(sums):
            return None
        device = next(iter(sums.values())).device
        stacked = torch.stack([torch.stack(one).to(device, torch.float32) for one in parts.values()]).tolist()
        small = math.fsum(value * value for row in stacked for value in row) / count * count**2
        sums_of = torch.stack([one.to(device, torch.float32) for one in sums.values()]).tolist()
        large = math.fsum(value * value for value in sums_of)
        return Estimate.of(small, large, sizes[0], count, "micro_batches")

    def close(self) -> None:
        self._hooks.remove()
        self._parts, self._sums, self._latest = {}, {}, {}

    @torch.no_grad()
    def _part(self, number: int, parameter: nn.Parameter, grad: Tensor) -> None:
        self._latest[number] = _norm(grad), parameter.grad is None

    @torch.no_grad()
    def _sum(self, number: int, parameter: Tensor) -> None:
        if parameter.grad is None or number not in self._latest:
            return
        norm, fresh = self._latest.pop(number)
        if fresh:  # what came before was thrown away, as AMP does where a gradient overflowed
            self._parts[number] = []
        self._parts.setdefault(number, []).append(norm)
        self._sums[number] = _norm(parameter.grad)


def _norm(grad: Tensor) -> Tensor:
    grad = grad.detach()
    values = grad.coalesce().values() if grad.is_sparse else grad
    norm: Tensor = torch.linalg.vector_norm(
        values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
    )
    return norm


def _dense_grads(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """The gradients that there are; none where one is sparse, for the rows of two steps differ."""
    grads = [one.grad for one in parameters if one.grad is not None]
    return [] if any(one.layout != torch.strided for one in grads) else grads
