"""Peak memory of Gradoscope or of the other libraries (peers): all six maps once, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from gradoscope.attribution.memory import release_freed_memory

from .own_methods import METHODS, Run, ours, with_default_malloc
from .peers import DEFAULT_BATCH, main_peer
from .subjects import ROOT, Subject, load

MIB = 2**20
PEERS, DEFAULTS = "peers", "peers, their default batch"


@dataclass(frozen=True)
class Peak:
    """MiB of the device's memory with the model loaded, and at the most."""

    loaded: float
    peak: float

    @property
    def more(self) -> float:
        """What the maps took on top."""
        return self.peak - self.loaded


def peak_of(model: str, side: str, batch: int, count: int) -> Peak:
    """Run `side` (`PEERS`, `DEFAULTS`, or the kind of an engine of ours) on `model` in a child, and ask it."""
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.maps", "peak", model, side, str(batch), str(count)],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return Peak(**json.loads(answer.stdout.splitlines()[-1]))


def own_peak(model: str, side: str, batch: int, count: int) -> Peak:
    """In the child: load, make all six maps, and look at the high-water mark."""
    subject = load(model)
    runs = [run_of(subject, method, side, batch) for method in METHODS]
    free_unused(subject, side)
    loaded = reset(subject.device)
    for run in runs:
        run(count)
    return Peak(loaded, high_water(subject.device))


def run_of(subject: Subject, method: str, side: str, batch: int) -> Run:
    if side not in (PEERS, DEFAULTS):
        return ours(subject, method, side)
    peer = main_peer(method)
    return with_default_malloc(peer.make(subject, batch if side == PEERS else DEFAULT_BATCH[peer.library]))


def free_unused(subject: Subject, side: str) -> None:
    """Free the copy of the weights that `side` does not use, and what loading took."""
    (subject.classifier if side.startswith(PEERS) else subject.theirs).network.to("meta")
    release_freed_memory()


def reset(device: torch.device) -> float:
    """Reset the high-water mark, which loading the model has raised. Returns what is in memory now, MiB."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        Path("/proc/self/clear_refs").write_text("5")
    return high_water(device)


def high_water(device: torch.device) -> float:
    """The most that was in the device's memory, MiB: what PyTorch took of a GPU, or what this process had. Linux only.

    Not `ru_maxrss`: Linux hands the parent's on to a child.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
