"""A run as a result: figures, numbers and findings, in the shape of an experiment's."""

from __future__ import annotations

import time

import numpy as np

from ...contract.experiments import ExperimentResult, finite_values
from ...contract.version import VERSION
from ...contract.wire import JsonObject
from ..worded import RUN
from ..wording import worded_figure, worded_finding
from .figures import figures
from .findings import findings, noise_of, silent_units, total_norm
from .record import Run, read_run


@np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")
def report(data: bytes) -> ExperimentResult:
    """What the file of a run says; a number that leaves the range of floats on the way is null.

    Raises `Unprocessable` where it is no such file.
    """
    began = time.perf_counter()
    run = read_run(data)
    head = run.head
    found = [one.model_copy(update={"numbers": finite_values(one.numbers)}) for one in findings(run)]
    drawn = [worded_figure(RUN, figure) for figure in figures(run)]
    return ExperimentResult(
        id=RUN.id,
        parameters={
            "model": head.model, "optimizer": head.optimizer, "every": head.every, "created": head.created,
            "torch": head.torch, "notes": list(head.notes),
        },
        seed=0,
        numbers=finite_values(_numbers(run)),
        figures=drawn,
        findings=[worded_finding(RUN, one) for one in found],
        versions={"gradoscope": VERSION, "torch": head.torch},
        seconds=round(time.perf_counter() - began, 4),
    )  # fmt: skip


def _numbers(run: Run) -> JsonObject:
    """Single numbers, and lists by layer over the second half of the run."""
    noise = noise_of(run)
    late = slice(len(run.steps) // 2, None)
    total = total_norm(run)
    told = {"noise_scale": noise.scale, "noise_scale_least": noise.least} if noise is not None else {}
    return {
        "recorded": len(run.steps),
        "steps": int(run.steps[-1]) + 1,
        "every": run.head.every,
        "layers": len(run.names),
        "parameters": int(run.parameters.sum()),
        "batch": _median(run.samples),
        "passes": _median(run.passes),
        "gradient_norm": _median(total[late]),
        **{name: value for name, value in told.items() if value is not None},
        "layer_names": run.names,
        "layer_norms": [_median(run.gradient[late, place]) for place in range(len(run.names))],
        "layer_updates": [_median(run.update[late, place]) for place in range(len(run.names))],
        "silent_units": {one.name: one.count for one in silent_units(run)},
    }


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")
