"""Does memory stay under its cap while models come and go? `make memory` prints the answer, switch by switch.

Ten networks with seeded random weights, a cap that holds the two largest, a hundred switches from one to another. After
each, the worker's resident memory is held against 1.15 × (memory after imports without a model + cap + largest measured
micro-batch).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import torchvision.models as tv
from safetensors.torch import save_file

from tests.support.paths import sample
from tests.support.server import Server

NETS = ("alexnet", "densenet121", "efficientnet_b0", "googlenet", "mnasnet1_0", "mobilenet_v2", "resnet18", "resnet50",
        "shufflenet_v2_x1_0", "squeezenet1_1")  # fmt: skip
CARD = """
title = "{0}"
architecture = "torchvision:{0}"
classes = 1000
source = {{ kind = "file", file = "{0}.safetensors" }}
"""
FACTOR = 1.15
MIB = 2**20

# what a worker has in memory before any model, and what the largest micro-batch takes on top of its model
BASE = (
    "from gradoscope.service import worker\nfrom gradoscope.pipeline import catalogue, pipeline\n"
    + """
from contextlib import suppress
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo
from gradoscope.attribution.memory import resident
with suppress(ImportError):
    from gradoscope.attribution.backends import graph
zoo = Zoo(Settings()); catalogue.catalogue(zoo, zoo.settings)
print(resident())
"""
)
BATCH = """
import sys
from pathlib import Path
from gradoscope.attribution.backends.batching import SIZES
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.score import Score
from gradoscope.settings import Settings
from gradoscope.attribution.memory import resident
from gradoscope.zoo.zoo import Zoo
settings = Settings(acceleration="none")
classifier = Zoo(settings).load(sys.argv[1]).classifier
engine = Engine(classifier, Score(0), micro_batch=max(SIZES[0]))
engine.gradients(classifier.grey_pictures(1))
before = resident()
Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, the peak of resident memory
engine.gradients(classifier.grey_pictures(engine.micro_batch))
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024 - before)
"""


def write_models(folder: Path, nets: tuple[str, ...] = NETS) -> dict[str, int]:
    """Cards and weights; bytes of each model."""
    sizes = {}
    for name in nets:
        torch.manual_seed(0)
        quiet = {"init_weights": False} if name == "googlenet" else {}
        state = tv.get_model(name, weights=None, **quiet).state_dict()
        save_file(state, folder / f"{name}.safetensors")
        (folder / f"{name}-own.toml").write_text(CARD.format(name))  # "-own": shipped cards may have the bare name
        sizes[f"{name}-own"] = sum(t.numel() * t.element_size() for t in state.values())
    return sizes


def measure(code: str, *arguments: str, **environment: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-1])


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def switch(folder: Path, switches: int, nets: tuple[str, ...] = NETS) -> dict[str, float]:
    """Run it; prints a line for each switch. Returns the figures in MiB."""
    sizes = write_models(folder, nets)
    cap = sum(sorted(sizes.values())[-2:]) + MIB
    variables = {"GRADOSCOPE_MODELS": str(folder), "GRADOSCOPE_MODEL_BYTES": str(cap)}
    base = measure(BASE, **variables)
    batch = max(measure(BATCH, name, **variables) for name in sizes)
    limit = FACTOR * (base + cap + batch)
    order = random.Random(0)
    server = Server(folder / "store", **variables)
    worst, last = 0, ""
    try:
        for number in range(switches):
            model = order.choice([name for name in sizes if name != last])
            last = model
            fields = {
                "model": model,
                "method": ["smooth_grad", "grad_cam"],
                "options": json.dumps({"smooth_grad": {"samples": 4}}),
            }
            answer = server.http.post(
                "/api/v1/explanations", files={"image": sample("cat.jpg")}, data={**fields, "seed": number}
            )
            assert answer.status_code == 200, answer.text
            taken = resident(server.worker_pid())
            worst = max(worst, taken)
            print(f"{number + 1:4} {model:24} {taken / MIB:7.0f} MiB", flush=True)
    finally:
        server.stop()
    figures = {"base": base, "cap": cap, "micro_batch": batch, "limit": limit, "worst": worst}
    return {name: value / MIB for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--switches", type=int, default=100)
    with tempfile.TemporaryDirectory() as folder:
        figures = switch(Path(folder), parser.parse_args().switches)
    print("MiB:", ", ".join(f"{name} {value:.0f}" for name, value in figures.items()))
    print(f"worst / limit = {figures['worst'] / figures['limit']:.3f}")
    sys.exit(figures["worst"] > figures["limit"])


if __name__ == "__main__":
    main()
