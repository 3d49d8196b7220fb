"""`gradoscope.read_run`: what a recorded run says, in this process, without a server and without PyTorch."""

from __future__ import annotations

from pathlib import Path

from ..lab.runs.record import MAX_BYTES
from ..lab.runs.report import report
from .experiments import Experiment


def read_run(file: str | Path | bytes) -> Experiment:
    """What the file of a run says that `gradoscope.watch` recorded, or its bytes: `figures`, `numbers` and `findings`,
    as those of an experiment. It can be read while the training goes on.

    Raises:
        Problem: it is no such file, or one that is damaged.
        OSError: it cannot be read.
    """
    return Experiment(report(run_bytes(file)))


def run_bytes(file: str | Path | bytes) -> bytes:
    """The bytes of a file, but of no more than a run may have. Raises `OSError`."""
    if isinstance(file, bytes):
        return file
    with Path(file).open("rb") as opened:
        return opened.read(MAX_BYTES + 1)
