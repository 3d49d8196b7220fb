"""Random numbers that depend on the seed and on what they are for, and on nothing else."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def generator(seed: int, *names: int | str) -> torch.Generator:
    """A CPU generator of its own for each of `names`, such as a sample's number.

    So what is drawn does not depend on micro-batch, device or retry.
    """
    digest = hashlib.sha256(",".join(map(str, (seed, *names))).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4]))


def noise(seed: int, index: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise of sample `index`."""
    return torch.randn(shape, generator=generator(seed, index), dtype=torch.float32)
