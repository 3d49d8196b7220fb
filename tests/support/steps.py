"""Does memory grow with the number of steps? Peak memory of a process that runs the methods with many gradients."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

METHODS = ("smooth_grad", "integrated_gradients", "blur_integrated_gradients")
FACTOR = 1.05  # by which the peak of many steps may exceed the peak of few


def peak(steps: int) -> int:
    """Peak memory, in bytes, of a child process that runs each of `METHODS` with this number of steps or samples."""
    command = [sys.executable, "-m", "tests.support.steps", str(steps)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout.splitlines()[-1]))


def run(steps: int) -> int:
    """In the child. The network is small, so that gradients that pile up would take more memory than it."""
    import torch
    from gradoscope.attribution.engine import Engine
    from gradoscope.attribution.memory import keep_freed_memory
    from gradoscope.attribution.methods.base import find_method
    from gradoscope.attribution.score import Score

    from tests.support.nets import Tiny, random_picture, wrap

    keep_freed_memory()
    torch.set_num_threads(1)
    network, x = wrap(Tiny(), side=96), random_picture(side=96)
    for method in METHODS:
        found = find_method(method)
        options = {"samples" if method == "smooth_grad" else "steps": steps}
        for _ in found.attribute(Engine(network, Score(0)), x, found.Parameters(**options), 0):
            pass  # as the worker does: it keeps no earlier progress or partial map
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))
