"""How threads that have nothing to do wait for more."""

from __future__ import annotations

import os

SPINS = "20000"


def share_cores() -> None:
    """Let PyTorch's threads sleep soon after an operation. Has an effect before PyTorch is imported.

    GNU OpenMP's threads wait for the next operation by going round in circles, for milliseconds. Meanwhile OpenVINO's
    threads have the core only in part: a compiled gradient took a fifth longer (EfficientNet-Lite0, two cores). With so
    many rounds the pause within a network's pass is still bridged. Who has set it otherwise is left alone.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
