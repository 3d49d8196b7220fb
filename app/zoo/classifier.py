"""A frozen CNN on RGB in [0, 1]: its own normalisation is its first step, so gradients are per pixel value."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ..attribution.rules import Census


class Classifier(nn.Module):
    """S: (N, 3, H, W) in [0, 1] → logits (N, classes); eval mode, no parameter takes a gradient.

    `id` and `fingerprint` say which weights these are, `size` is the (height, width) that the card asks for.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        size: tuple[int, int],
        labels: Sequence[str],
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        id: str = "",
        fingerprint: str = "",
    ) -> None:
        super().__init__()
        self.id, self.fingerprint = id, fingerprint
        self.size, self.labels = size, tuple(labels)
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, pictures: Tensor) -> Tensor:
        logits = self.network((pictures - self.mean) / self.std)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(f"the network must answer with logits of shape (N, classes), not {shape}")
        return logits

    @property
    def device(self) -> torch.device:
        return self.mean.device

    @property
    def dtype(self) -> torch.dtype:
        return self.mean.dtype

    def label(self, index: int) -> str:
        return self.labels[index] if index < len(self.labels) else f"class {index}"

    @cached_property
    def census(self) -> Census:
        """The layers that Grad-CAM can take and the nonlinearities on the way, found by one probing pass."""
        from ..attribution.rules import take_census

        return take_census(self)
