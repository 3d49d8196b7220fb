"""Runs: what `gradoscope.watch` records of a training loop of the user's own, and what the record says.

`watch`, `layers`, `norms`, `activations` and `noise` look at a model while it learns, and import PyTorch. `writer`
writes the file, `record` reads it, `figures`, `findings` and `report` make of it what an experiment makes of its
computation; none of these four imports PyTorch, so that a process without it can read a run.
"""

from __future__ import annotations

from typing import ClassVar

from ..experiment import Worded


class RunReport(Worded):
    """What is said of a recorded run. Its words stand in `texts/`, as those of an experiment do."""

    id: ClassVar[str] = "run"


REPORT = RunReport()
