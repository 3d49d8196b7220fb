"""Makes the runs that the page /lab/run offers, static/runs/*.jsonl: trainings of seconds that were watched.

Seven shapes are drawn as small grey pictures, and networks learn to name them. `healthy` is a convolutional network
with usual weights and a usual rate. `trouble` has seven layers with sigmoids, two with ReLUs above them, and a rate
that is large for these: the lower layers get next to no gradient, and many of the upper units die.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gradoscope
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).resolve().parents[1] / "static" / "runs"
SIDE = 16
STEPS = 600
BATCH = 32
SHAPES = 7


def shapes(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures (count, 1, SIDE, SIDE) with noise, and which of the seven shapes each shows."""
    labels = torch.randint(SHAPES, (count,), generator=generator)
    centre = 5 + 6 * torch.rand(count, 2, 1, 1, generator=generator)
    size = 2.5 + 2 * torch.rand(count, 1, 1, generator=generator)
    y = torch.arange(SIDE).view(1, SIDE, 1) - centre[:, 0]
    x = torch.arange(SIDE).view(1, 1, SIDE) - centre[:, 1]
    away = (x**2 + y**2).sqrt()
    drawn = torch.stack([
        away < size,  # disc
        (away - size).abs() < 0.9,  # ring
        torch.maximum(x.abs(), y.abs()) < size,  # square
        x.abs() + y.abs() < 1.3 * size,  # diamond
        (torch.minimum(x.abs(), y.abs()) < 0.9) & (torch.maximum(x.abs(), y.abs()) < size + 1),  # cross
        ((x.abs() - y.abs()).abs() < 0.9) & (away < size + 1),  # two diagonals
        (y.abs() < size) & (x.abs() < (y + size) / 2),  # triangle
    ])  # fmt: skip
    chosen = drawn[labels, torch.arange(count)].float()
    noise = 0.3 * torch.randn(count, SIDE, SIDE, generator=generator)
    return (chosen + noise).unsqueeze(1), labels


def named(parts: dict[str, nn.Module]) -> nn.Sequential:
    network = nn.Sequential()
    for name, part in parts.items():
        network.add_module(name, part)
    return network


def healthy() -> tuple[nn.Module, torch.optim.Optimizer]:
    network = named({
        "conv1": nn.Conv2d(1, 16, 3, padding=1), "norm1": nn.BatchNorm2d(16), "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(2), "conv2": nn.Conv2d(16, 32, 3, padding=1), "norm2": nn.BatchNorm2d(32),
        "relu2": nn.ReLU(), "pool2": nn.AdaptiveAvgPool2d(2), "flatten": nn.Flatten(), "head": nn.Linear(128, SHAPES),
    })  # fmt: skip
    return network, torch.optim.Adam(network.parameters(), lr=1e-3)


def trouble() -> tuple[nn.Module, torch.optim.Optimizer]:
    width = 48
    parts: dict[str, nn.Module] = {"flatten": nn.Flatten(), "input": nn.Linear(SIDE * SIDE, width)}
    parts["sigmoid0"] = nn.Sigmoid()
    for number in range(1, 7):
        parts |= {f"lower{number}": nn.Linear(width, width), f"sigmoid{number}": nn.Sigmoid()}
    for number in range(1, 3):
        parts |= {f"upper{number}": nn.Linear(width, width), f"relu{number}": nn.ReLU()}
    network = named(parts | {"head": nn.Linear(width, SHAPES)})
    return network, torch.optim.SGD(network.parameters(), lr=0.2)


def record(name: str, file: Path, steps: int = STEPS) -> None:
    """Train, and write the run."""
    torch.manual_seed(0)
    network, optimizer = {"healthy": healthy, "trouble": trouble}[name]()
    generator = torch.Generator().manual_seed(1)
    with gradoscope.watch(network, optimizer, file=file, every=5):
        for _ in range(steps):
            pictures, labels = shapes(BATCH, generator)
            nn.functional.cross_entropy(network(pictures), labels).backward()
            optimizer.step()
            optimizer.zero_grad()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=FOLDER)
    folder = options.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name in ("healthy", "trouble"):
        record(name, folder / f"{name}.jsonl")
        found = gradoscope.read_run(folder / f"{name}.jsonl")
        print(name, *(f"{one.verdict}: {one.text}" for one in found.findings), sep="\n  ")


if __name__ == "__main__":
    main()
