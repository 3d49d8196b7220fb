"""A frozen CNN on pixels in [0, 1]: its own normalisation is its first step, so gradients are per pixel value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


class Classifier(nn.Module):
    """S: (N, C, H, W) in [0, 1] → logits (N, classes); eval mode, no parameter takes a gradient.

    C is 3 (RGB) or 1 (grey): as many as `mean` has values. `id` and `fingerprint` say which weights these are, `size`
    is the (height, width) of its pictures. The probabilities are a softmax over the logits; where each class stands for
    itself (`multilabel`, and always where there is one class only) they are sigmoids.
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
        multilabel: bool = False,
        id: str = "",
        fingerprint: str = "",
    ) -> None:
        super().__init__()
        self.id, self.fingerprint = id, fingerprint
        self.size, self.labels = size, tuple(labels)
        self.multilabel = multilabel or len(self.labels) == 1
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, pictures: Tensor) -> Tensor:
        return main_logits(self.network((pictures - self.mean) / self.std))

    @property
    def device(self) -> torch.device:
        return self.mean.device

    @property
    def dtype(self) -> torch.dtype:
        return self.mean.dtype

    @property
    def channels(self) -> int:
        """3 for RGB, 1 for grey."""
        return self.mean.shape[1]

    def label(self, index: int) -> str:
        return self.labels[index] if index < len(self.labels) else f"class {index}"

    def probabilities(self, logits: Tensor) -> Tensor:
        """(N, classes) → (N, classes)"""
        return logits.sigmoid() if self.multilabel else logits.softmax(-1)

    def at(self, size: tuple[int, int]) -> Classifier:
        """The same network for pictures of another (height, width); the weights are shared."""
        return self if size == self.size else self.view(size)

    def view(self, size: tuple[int, int] | None = None) -> Classifier:
        """The same network again, with shared weights; for pictures of another size where one is given."""
        return Classifier(
            self.network,
            size=size or self.size,
            labels=self.labels,
            mean=self.mean.flatten().tolist(),
            std=self.std.flatten().tolist(),
            multilabel=self.multilabel,
            id=self.id,
            fingerprint=self.fingerprint,
        ).to(device=self.device, dtype=self.dtype)

    def grey_pictures(self, count: int = 1) -> Tensor:
        """`count` grey pictures to probe the network with, (count, C, H, W)."""
        return torch.full((count, self.channels, *self.size), 0.5, device=self.device, dtype=self.dtype)

    def noise_pictures(self, count: int) -> Tensor:
        """`count` pictures of fractal noise, always the same, for trials: (count, C, H, W).

        Noise in octaves, each half as strong as the coarser one before it, as in photographs: on smooth pictures far
        more activations lie at a kink, and no two right engines agree there.
        """
        draw = torch.Generator().manual_seed(0)
        noise = torch.zeros((count, self.channels, *self.size))
        for octave in range(2, max(3, max(self.size).bit_length())):
            grid = torch.randn((count, self.channels, 2**octave, 2**octave), generator=draw)
            noise += 0.5 ** (octave - 2) * interpolate(grid, self.size, mode="bilinear", align_corners=False)
        return (0.5 + 0.2 * noise).clamp(0, 1).to(device=self.device, dtype=self.dtype)


class NoLogits(ValueError):
    """A network's answer is not (N, classes)."""


def main_logits(output: object) -> Tensor:
    """The logits in what a network answers: itself, or the first of several outputs (auxiliary heads), (N, classes).

    Named outputs (`.logits` as of GoogLeNet and Inception, `{"logits": …}`) go by their name. A network of one class
    may answer with (N,). Raises `NoLogits` where there are none in it.
    """
    found = output
    if isinstance(found, Mapping):
        found = found.get("logits", next(iter(found.values()), None))
    elif hasattr(found, "logits"):
        found = found.logits
    elif isinstance(found, (tuple, list)) and found:
        found = found[0]
    if isinstance(found, Tensor) and found.ndim == 1:
        found = found[:, None]
    if not isinstance(found, Tensor) or found.ndim != 2:
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise NoLogits(f"the network must answer with logits of shape (N, classes), not {shape}")
    return found
