"""What gradoscope.watch costs a training loop: seconds of a step with and without it. `make bench-watch`

resnet18 with random weights on a batch of random pictures, SGD with momentum. Both sides in turns (A B A B …), each
turn as many steps as lie from one recorded step to the next (`every`, the default), so that each watched turn pays for
one record. On a CPU these are processor seconds of one thread, which other work on the machine changes little. Prints
the median seconds of a step of each side, and the ratio of both; the exit status is 1 where watching takes
more than 5 % of a step's time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import gradoscope
import torch
from gradoscope.lab.runs.watch import EVERY
from torch import Tensor, nn
from torchvision.models import resnet18

GOAL = 1.05


def seconds(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, steps: int) -> float:
    """Seconds of a step, over so many steps of training: of this process's processor, or by the clock on a GPU."""
    clock = time.perf_counter if x.is_cuda else time.process_time
    if x.is_cuda:
        torch.cuda.synchronize()
    began = clock()
    for _ in range(steps):
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
    if x.is_cuda:
        torch.cuda.synchronize()
    return (clock() - began) / steps


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--batch", type=int, default=16)
    options.add_argument("--side", type=int, default=64, help="of the pictures, in pixels")
    options.add_argument("--every", type=int, default=EVERY)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = options.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = resnet18().to(given.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x = torch.randn(given.batch, 3, given.side, given.side, device=given.device)
    y = torch.randint(1000, (given.batch,), device=given.device)
    seconds(model, optimizer, x, y, 3)
    plain: list[float] = []
    watched: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            plain.append(seconds(model, optimizer, x, y, given.every))
            with gradoscope.watch(model, optimizer, file=Path(folder) / f"{number}.jsonl", every=given.every):
                # a whole period first: the first record of a watch sees no step before it, and pages memory in
                seconds(model, optimizer, x, y, given.every)
                watched.append(seconds(model, optimizer, x, y, given.every))
    ratios = [one / other for one, other in zip(watched, plain, strict=True)]
    ratio = median(watched) / median(plain)
    print(f"resnet18, batch {given.batch} of {given.side}×{given.side}, every {given.every} steps, {given.device}")
    print(f"plain    {1000 * median(plain):8.2f} ms a step")
    print(f"watched  {1000 * median(watched):8.2f} ms a step")
    print(
        f"ratio    {ratio:8.4f}  (median of {given.rounds} turns, {min(ratios):.4f} to {max(ratios):.4f}; goal {GOAL})"
    )
    return int(ratio > GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
