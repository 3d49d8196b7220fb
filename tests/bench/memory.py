"""Peak memory of a side: all six maps once, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from gradoscope.zoo.memory import give_back

from .peers import DEFAULT_BATCH, main_peer
from .sides import METHODS, Run, ours
from .subjects import ROOT, Subject, load

MIB = 2**20
PEERS, DEFAULTS = "peers", "peers, their default batch"
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Peak:
    """MiB: with the model loaded and one gradient's worth of nothing done; at the peak; and at the peak on the GPU."""

    loaded: float
    peak: float
    gpu: float | None = None

    @property
    def more(self) -> float:
        """What the maps took on top."""
        return self.peak - self.loaded


def peak_of(model: str, side: str, batch: int, count: int) -> Peak:
    """Run `side` (`PEERS`, `DEFAULTS`, or the kind of an engine of ours) on `model` in a child, and ask it.

    Not `ru_maxrss`: Linux hands the parent's on to a child.
    """
    answer = subprocess.run(
        [sys.executable, "-m", "bench", "peak", model, side, str(batch), str(count)],
        cwd=ROOT / "tests", check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return Peak(**json.loads(answer.stdout.splitlines()[-1]))


def own_peak(model: str, side: str, batch: int, count: int) -> Peak:
    """In the child: load, make all six maps, and look at the process's high-water mark."""
    subject = load(model)
    runs = [run_of(subject, method, side, batch) for method in METHODS]
    drop_what(subject, side)
    loaded = reset()
    for run in runs:
        run(count)
    gpu = torch.cuda.max_memory_allocated() / MIB if subject.device.type == "cuda" else None
    return Peak(loaded, high_water(), gpu)


def run_of(subject: Subject, method: str, side: str, batch: int) -> Run:
    if side not in (PEERS, DEFAULTS):
        return ours(subject, method, side)
    peer = main_peer(method)
    return peer.make(subject, batch if side == PEERS else DEFAULT_BATCH[peer.library])


def drop_what(subject: Subject, side: str) -> None:
    """Give back the other side's copy of the weights, and what loading took."""
    (subject.classifier if side.startswith(PEERS) else subject.theirs).network.to("meta")
    give_back()


def reset() -> float:
    """Forget the high-water mark, which what was read to load a model has raised; what is in memory now, MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    return high_water()


def high_water() -> float:
    """The most that this process had in memory, MiB. Linux only."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
