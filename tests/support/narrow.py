"""Well-known architectures with fewer channels: the same modules in the same order, for a fraction of the time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

CLASSES = 1000
PICTURE = 3  # channels of the picture, which stay


def narrowed(build: Callable[[], nn.Module], by: int) -> nn.Module:
    """What `build` makes, with a channel where it has `by`; picture and classes stay as they are.

    What a method does to a network follows from its modules and how they are connected, not from its width. Each width
    must be a multiple of `by`: so parts that are concatenated or added still fit. The weights are random, as
    torchvision draws those of its networks with ReLU.
    """
    with torch.device("meta"):
        network = build()
    for name, module in list(network.named_modules()):
        if narrow := in_narrow(module, by):
            parent, _, last = name.rpartition(".")
            setattr(network.get_submodule(parent), last, narrow)
    assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers())), "a layer is as it was"
    return network


def in_narrow(module: nn.Module, by: int) -> nn.Module | None:
    """A new one of the same kind; None of a module without weights of its own."""

    def width(channels: int) -> int:
        if channels in (PICTURE, CLASSES):
            return channels
        assert channels % by == 0, f"{channels} channels are no multiple of {by}: {module}"
        return channels // by

    if isinstance(module, nn.Conv2d):
        assert module.groups == 1
        narrow = nn.Conv2d(
            width(module.in_channels),
            width(module.out_channels),
            module.kernel_size,  # type: ignore[arg-type]
            module.stride,  # type: ignore[arg-type]
            module.padding,  # type: ignore[arg-type]
            bias=module.bias is not None,
        )
        nn.init.kaiming_normal_(narrow.weight, mode="fan_out", nonlinearity="relu")
        if narrow.bias is not None:
            nn.init.zeros_(narrow.bias)
        return narrow
    if isinstance(module, nn.BatchNorm2d):
        return nn.BatchNorm2d(width(module.num_features), module.eps, module.momentum)
    if isinstance(module, nn.Linear):
        return nn.Linear(width(module.in_features), width(module.out_features), bias=module.bias is not None)
    return None
