"""The floor: the time of a gradient's arithmetic alone, taken as 2 × the forward pass of an inference runtime."""

from __future__ import annotations

import importlib.util
import logging
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from .measure import print_progress
from .subjects import WORK, Subject

BATCHES = (1, 4, 8)
PICTURES = 64  # that a batch size is timed on
Forward = Callable[[np.ndarray], object]


def forward_times(subject: Subject) -> dict[str, float]:
    """Seconds for the forward pass of a picture, by runtime: each at its quickest batch size, on as many threads as
    PyTorch has; the median over batches. Empty where no runtime is installed, or the model is not on the CPU."""
    if subject.device.type != "cpu":
        return {}
    found: dict[str, float] = {}
    for name, package, forward in (
        ("ONNX Runtime", "onnxruntime", onnx_runtime),
        ("OpenVINO", "openvino", openvino_runtime),
    ):
        if importlib.util.find_spec(package) and importlib.util.find_spec("onnxscript"):
            by_batch = {batch: _time(forward(exported(subject, batch)), subject, batch) for batch in BATCHES}
            print_progress(f"  {name}, forward, ms by batch: { {b: round(s * 1e3, 2) for b, s in by_batch.items()} }")
            found[name] = min(by_batch.values())
    return found


def exported(subject: Subject, batch: int) -> Path:
    """The network, from pixels to logits, as an ONNX file for batches of one size."""
    path = WORK / "onnx" / f"{subject.name}-{batch}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        torch.onnx.export(
            subject.theirs,
            (subject.theirs.grey_pictures(batch),),
            path,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return path


def onnx_runtime(path: Path) -> Forward:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pictures: session.run(None, {name: pictures})


def openvino_runtime(path: Path) -> Forward:
    from gradoscope.attribution.backends.runtime import ov

    wish = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    model = ov.Core().compile_model(path, "CPU", wish)
    return lambda pictures: model(pictures)


def _time(forward: Forward, subject: Subject, batch: int) -> float:
    pictures = np.repeat(subject.x[None].numpy(), batch, axis=0)
    seconds = list(_passes(forward, pictures, -(-PICTURES // batch) + 2))[2:]  # the first two warm up
    return statistics.median(seconds) / batch


def _passes(forward: Forward, pictures: np.ndarray, count: int) -> Iterator[float]:
    for _ in range(count):
        began = time.perf_counter()
        forward(pictures)
        yield time.perf_counter() - began
