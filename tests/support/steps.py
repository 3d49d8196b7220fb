"""Does memory grow with the number of steps? Peak memory of this process after 50 and after 1000 steps of each path."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

METHODS = ("smooth_grad", "integrated_gradients", "blur_integrated_gradients")
FACTOR = 1.05


def peak(code_steps: int) -> int:
    """Bytes at the peak of a process of its own that runs every method of many gradients with so many steps."""
    command = [sys.executable, "-m", "tests.support.steps", str(code_steps)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout.splitlines()[-1]))


def run(steps: int) -> int:
    """In the child: a small convolutional network, so that what would pile up is more than the network."""
    import torch
    from gradoscope.attribution.engine import Engine
    from gradoscope.attribution.memory import keep_freed_memory
    from gradoscope.attribution.methods.base import find_method
    from gradoscope.attribution.score import Score

    from tests.support.nets import Tiny, random_picture, wrap

    keep_freed_memory()
    torch.set_num_threads(1)
    network, x = wrap(Tiny(), 96), random_picture(96)
    for method in METHODS:
        found = find_method(method)
        options = {"samples" if method == "smooth_grad" else "steps": steps}
        for _ in found.attribute(Engine(network, Score(0)), x, found.Parameters(**options), 0):
            pass  # as the worker does: an estimate is told and forgotten
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))
