"""A user's own models with a wide linear layer, for tests of the memory that loaded models take."""

from __future__ import annotations

from pathlib import Path

import torch
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo

MIB = 2**20
CARD = """
title = "{name}"
architecture = "wide_net:build"
labels = ["a", "b", "c"]
{more}
[source]
kind = "file"
file = "{name}.pth"
[input]
size = [16, 16]
"""
NET = """
from torch import nn

def build(num_classes=3, width=60_000):
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, width),
                         nn.Linear(width, num_classes))
"""  # 2.7 MiB of parameters


def put(folder: Path, name: str, more: str = "", weights: bool = True) -> None:
    """Writes code, card and weights of a model; `more` is further TOML of the card."""
    (folder / "wide_net.py").write_text(NET)
    (folder / f"{name}.toml").write_text(CARD.format(name=name, more=more))
    if weights:
        scope: dict[str, object] = {}
        exec(NET, scope)
        torch.manual_seed(sum(map(ord, name)))
        torch.save(scope["build"]().state_dict(), folder / f"{name}.pth")  # type: ignore[operator]


def make_zoo(folder: Path | None = None, mib: float = 2048, **more: object) -> Zoo:
    return Zoo(Settings(device="cpu", models=folder, model_bytes=int(mib * MIB), **more))  # type: ignore[arg-type]
