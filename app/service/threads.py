"""How PyTorch's idle threads wait for work."""

from __future__ import annotations

import os

SPIN_COUNT = "20000"


def share_cores() -> None:
    """Make PyTorch's threads sleep soon after an operation. Works only before PyTorch is imported.

    GNU OpenMP's threads wait for the next operation in a busy loop of some milliseconds. Meanwhile OpenVINO's threads
    get only part of the core: a compiled gradient took a fifth longer (EfficientNet-Lite0, two cores). With this spin
    count they still bridge the pauses within a network's pass. A value that the user has set is kept.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
