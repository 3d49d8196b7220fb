"""Does everything come out on a GPU as it does on the CPU? `make check-gpu` prints the answer.

It runs every method in float32 on CUDA, with the fastest backend there, and on the CPU with the plain one. The relative
L2 distances of the maps must be within what float rounding explains: median ≤ 1e-2, worst ≤ 1e-1. Then it runs a
micro-batch that does not fit into memory, and measures the time of a gradient. Without a GPU it only says so.
"""

from __future__ import annotations

import copy
import statistics
import subprocess
import sys
import time

import torch
from gradoscope.attribution.backends.backend import MAX_ERROR, MAX_MEDIAN_ERROR
from gradoscope.attribution.backends.selection import BackendSelector, prepared
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.memory import release_freed_memory
from gradoscope.attribution.methods.base import methods
from gradoscope.attribution.score import Score

from tests.support.nets import LITE0, classifier, explain, lite0, relative, sample_pixels
from tests.support.paths import ROOT

NETS = ("resnet18", "densenet121", "mobilenet_v3_large", "vgg11", "convnext_atto", "vit_tiny")
QUICK = {
    "smooth_grad": {"samples": 6},
    "integrated_gradients": {"steps": 6},
    "blur_integrated_gradients": {"steps": 6},
    "gradient_shap": {"samples": 6},
    "occlusion": {"window": 48, "stride": 48},
    "rise": {"masks": 6},
    "guided_integrated_gradients": {"steps": 6},
    **{id: {"samples": 6, "segments": 4, "compactness": 100.0} for id in ("lime", "kernel_shap")},
    **{id: {"channels": 6} for id in ("score_cam", "ablation_cam")},
    "idgi": {"steps": 6},
    "xrai": {"steps": 6},
}
CAT = 282
ROUNDS = 5


def subjects() -> dict[str, Classifier]:
    """The real EfficientNet-Lite0, and well-known architectures with seeded random weights; on the CPU."""
    return {LITE0: lite0(), **{name: classifier(name) for name in NETS}}


def compare(cpu: Classifier, quick: BackendSelector) -> dict[str, float | None]:
    """Distance of each method's map on the two devices; None where the method refuses the model on both."""
    x = sample_pixels("cat")
    found: dict[str, float | None] = {}
    for method in methods():
        maps = []
        for one, backend in ((cpu, None), (quick.classifier, quick)):
            try:
                picture, options = x.to(one.device), QUICK.get(method, {})
                maps.append(explain(method, one, picture, score=Score(CAT), backend=backend, **options).values.cpu())
            except Refused:
                maps.append(None)
        assert (maps[0] is None) == (maps[1] is None), f"{method} refuses {cpu.id} on one device only"
        found[method] = None if maps[0] is None else relative(maps[1], maps[0])
    return found


def recover(quick: BackendSelector) -> None:
    """A micro-batch that does not fit into memory gives the same gradients as small ones; later ones are smaller."""
    gpu = quick.classifier
    pictures = sample_pixels("cat").to(gpu.device) * torch.linspace(0.2, 1, 256, device=gpu.device).view(-1, 1, 1, 1)
    quick.max_batch = None
    few = Engine(gpu, Score(CAT), quick, micro_batch=8)
    expected = torch.cat([few.gradients(part) for part in pictures.split(8)])
    release_freed_memory()
    total = torch.cuda.get_device_properties(gpu.device).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + 2**29) / total)
    try:
        many = Engine(gpu, Score(CAT), quick, micro_batch=256)
        given = many.gradients(pictures)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    distance = relative(given.cpu(), expected.cpu())
    print(f"out of memory: 256 pictures went as {many.micro_batch} at a time, distance {distance:.1e}")
    assert many.micro_batch < 256, "512 MiB held 256 pictures: nothing was shown"
    assert distance <= MAX_MEDIAN_ERROR
    quick.max_batch = None


def gradient_milliseconds(backend: BackendSelector) -> float:
    """Milliseconds for a gradient of a picture, the best of some rounds."""
    engine = Engine(backend.classifier, Score(CAT), backend, micro_batch=0)
    pictures = backend.classifier.noise_pictures(engine.micro_batch)
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        engine.gradients(pictures).cpu()
        seconds.append((time.perf_counter() - began) / len(pictures))
    return 1e3 * min(seconds)


def main() -> None:
    if not torch.cuda.is_available():
        print("no CUDA device")
        return
    torch.backends.cudnn.allow_tf32 = False
    print(torch.cuda.get_device_name())
    distances = []
    for name, cpu in subjects().items():
        gpu = copy.deepcopy(cpu).to("cuda").to(memory_format=torch.channels_last)
        plain, quick = prepared(gpu, "none"), prepared(gpu)
        found = compare(cpu, quick)
        distances += [distance for distance in found.values() if distance is not None]
        summary = ", ".join(f"{m} {'refused' if d is None else f'{d:.1e}'}" for m, d in found.items())
        print(f"{name}: {summary}")
        times = ", ".join(
            f"{title} {gradient_milliseconds(b):.2f}" for title, b in (("plain", plain), (quick.name, quick))
        )
        print(f"{name}: ms a gradient: {times}")
        if name == LITE0:
            recover(quick)
    median, worst = statistics.median(distances), max(distances)
    print(f"median {median:.1e} (at most {MAX_MEDIAN_ERROR:.0e}), worst {worst:.1e} (at most {MAX_ERROR:.0e})")
    if median > MAX_MEDIAN_ERROR or worst > MAX_ERROR:
        sys.exit(1)
    bench = [sys.executable, "-m", "benchmarks.maps", "--quick"]
    sys.exit(subprocess.run(bench, cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
