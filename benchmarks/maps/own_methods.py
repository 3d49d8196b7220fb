"""Our own methods as the pipeline runs them: `Method.attribute` on an `Engine`, from the picture to an array."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from gradoscope.attribution.backends.selection import BackendSelector, Kind, prepared
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.memory import M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, keep_freed_memory
from gradoscope.attribution.methods.base import Attribution, Method, Parameters, find_method
from gradoscope.attribution.score import Score
from gradoscope.pipeline.panel import micro_batch

from .subjects import Subject

OURS = "Gradoscope"
METHODS = (
    "vanilla_gradient",
    "guided_backprop",
    "grad_cam",
    "smooth_grad",
    "integrated_gradients",
    "blur_integrated_gradients",
)
PATH_METHODS = ("integrated_gradients", "blur_integrated_gradients")
Run = Callable[[int], np.ndarray]  # samples or steps → the map, (C, H, W), in the host's memory

_backends: WeakKeyDictionary[Classifier, dict[str, BackendSelector]] = WeakKeyDictionary()


def quickest(kind: Kind, classifier: Classifier, score: Score, micro_batch: int) -> Engine:
    """An engine with the fastest backend that trials find, as a worker has it after some requests."""
    backends = _backends.setdefault(classifier, {})
    if kind not in backends:
        backends[kind] = prepared(classifier.view(), kind)
    backend = backends[kind]
    return Engine(backend.classifier, score, backend, micro_batch=micro_batch)


# Builds an engine, by kind: by PyTorch alone (plain or folded), or with compiled gradients if they are correct and
# faster.
ENGINES: dict[str, Callable[[Classifier, Score, int], Engine]] = {
    "pytorch": partial(quickest, "pytorch"),
    "compiled": partial(quickest, "auto"),
}


def sampled(method: str) -> bool:
    """Whether the method takes a number of samples or steps."""
    return _count_field(find_method(method)) is not None


def parameters_at(method: Method[Any], count: int, **options: Any) -> Parameters:
    """The method's defaults, with `count` samples or steps where it has them."""
    name = _count_field(method)
    found: Parameters = method.Parameters.model_validate({**({name: count} if name else {}), **options})
    return found


def with_default_malloc(run: Run) -> Run:
    """A peer's run with glibc's default thresholds: ours makes glibc keep freed memory, but no other library does.

    glibc adapts its thresholds to large blocks; these are the values at which that ends.
    """

    def run_with_defaults(count: int) -> np.ndarray:
        if sys.platform == "linux":
            with suppress(OSError, AttributeError):
                libc = ctypes.CDLL(None)
                libc.mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
                libc.mallopt(M_TRIM_THRESHOLD, 64 * 2**20)
        return run(count)

    return run_with_defaults


def engine_of(subject: Subject, kind: str = "pytorch") -> Engine:
    """An engine as `pipeline.panel.make_panel` builds it. `kind` is one of `ENGINES`."""
    return ENGINES[kind](subject.classifier, subject.score, micro_batch(subject.settings, subject.classifier.size))


def ours(subject: Subject, method: str, kind: str = "pytorch") -> Run:
    """One of our methods on a new engine, as for a request."""

    def run(count: int) -> np.ndarray:
        keep_freed_memory()  # as the worker does
        return attribute(subject, method, engine_of(subject, kind), count)

    return run


def attribute(subject: Subject, method: str, engine: Engine, count: int, **options: Any) -> np.ndarray:
    """The method's map on `engine`, as the pipeline takes it."""
    found = find_method(method)
    steps = found.attribute(engine, subject.x, parameters_at(found, count, **options), 0)
    values: np.ndarray = finish(steps).values.detach().float().cpu().numpy()
    return values


def finish(steps: Any) -> Attribution:
    """What a method's generator returns at its end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Attribution = end.value
            return found


def _count_field(method: Method[Any]) -> str | None:
    return next((name for name in ("steps", "samples") if name in method.Parameters.model_fields), None)
