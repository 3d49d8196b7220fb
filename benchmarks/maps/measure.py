"""Times calls: our methods and those of other libraries (the peers) in turn, round by round; and compares the times."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .own_methods import Run
from .peers import integrated_by_captum
from .subjects import Subject


@dataclass(frozen=True)
class Times:
    """The seconds that one library, ours or a peer, took in each round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        low, high = np.percentile(self.seconds, [25, 75]).tolist()
        return low, high

    @property
    def ends(self) -> tuple[float, float]:
        return min(self.seconds), max(self.seconds)


@dataclass(frozen=True)
class Ratio:
    """How many times longer the peer takes: the ratio of the medians, and the range of the rounds' own ratios."""

    medians: float
    low: float
    high: float


def ratio(peer: Times, ours: Times) -> Ratio:
    each = [theirs / mine for theirs, mine in zip(peer.seconds, ours.seconds, strict=True)]
    return Ratio(peer.median / ours.median, min(each), max(each))


def total(all_times: list[Times]) -> Times:
    """Round by round, the sum of several."""
    return Times(tuple(map(sum, zip(*(times.seconds for times in all_times), strict=True))))


def time_call(call: Callable[[], Any], device: torch.device) -> float:
    """Seconds until the result is in the host's memory and the device is idle."""
    gc.collect()
    synchronize(device)
    began = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - began


def in_turn(calls: Mapping[str, Callable[[], Any]], rounds: int, device: torch.device) -> dict[str, Times]:
    """A B A B …: `rounds` times through the calls in their order."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(time_call(call, device))
    return {name: Times(tuple(found)) for name, found in seconds.items()}


def best_batch(subject: Subject, batches: tuple[int, ...]) -> int:
    """The peers' quickest batch size here, by captum's integrated gradients: twice each, the better of the two.

    The three peers that take samples or steps all do the same with a batch: one forward and one backward pass.
    """
    found = {}
    for batch in batches:
        steps = max(batch, 8)

        def call(batch: int = batch, steps: int = steps) -> np.ndarray:
            return integrated_by_captum(subject.theirs, subject.x, subject.target, steps, batch)

        found[batch] = min(time_call(call, subject.device) for _ in range(2)) / steps
    print_progress(f"  peers' milliseconds a gradient by batch: { {b: round(s * 1e3, 1) for b, s in found.items()} }")
    return min(found, key=lambda batch: found[batch])


def warm_up(runs: list[Run], count: int) -> None:
    """Once through everything, so that no round pays for what is made once."""
    for run in runs:
        run(count)


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def print_progress(line: str) -> None:
    """To stderr, apart from the result."""
    print(line, file=sys.stderr, flush=True)
