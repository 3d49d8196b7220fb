"""The job that runs an experiment of the lab. It needs no model, no picture and no store."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Generator, Iterator
from typing import Any

import torch

from ..contract.experiment_events import (
    ExperimentAcceptedEvent,
    ExperimentDoneEvent,
    ExperimentPartialEvent,
    ExperimentProgressEvent,
)
from ..contract.experiments import ExperimentFinding, ExperimentResult, FigureBody, finite_values
from ..contract.jobs import RunExperiment
from ..contract.version import VERSION
from ..contract.wire import JsonObject
from ..lab.arguments import as_json, checked_parameters
from ..lab.experiment import Experiment, Parameters, Update
from ..lab.registry import find_experiment
from ..lab.wording import worded_figure, worded_finding
from .turns import PROGRESS_SECONDS, Run, TimedGenerator

PARTIAL_SECONDS = 0.25  # between two `partial` events


def experiment(job: RunExperiment) -> Run:
    """Run an experiment: events as in the REST contract. Another request may take its turn after each of its updates.

    Raises `Problem` before the first event where the request is refused.
    """
    chosen = find_experiment(job.experiment)
    parameters = checked_parameters(chosen, job.parameters)
    seconds = round(chosen.cost(parameters), 3)
    yield ExperimentAcceptedEvent(id=chosen.id, parameters=as_json(parameters), seed=job.seed, seconds=seconds)
    yield None
    found = _Found(chosen)
    with TimedGenerator(_updates(chosen, parameters, job.seed)) as updates:
        pacing = _Pacing()
        for update in updates:
            found.add(update)
            if update.done < update.total:
                yield from pacing.events(update, found)
            yield None
    yield ExperimentDoneEvent(result=found.result(parameters, job.seed, updates.seconds))


def _updates(chosen: Experiment[Any], parameters: Parameters, seed: int) -> Generator[Update, None, None]:
    """The updates of a run, each computed by one thread.

    The networks of the lab are small. Several threads wait for each other at every one of their many operations, and on
    a busy machine that takes ten times as long as the work.
    """
    running = iter(chosen.run(parameters, seed))
    try:
        while (update := _next_on_one_thread(running)) is not None:
            yield update
    finally:
        if isinstance(running, Generator):
            running.close()


def _next_on_one_thread(running: Iterator[Update]) -> Update | None:
    """The next update; None at the end. The number of threads is the caller's again afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return next(running, None)
    finally:
        torch.set_num_threads(threads)


class _Found:
    """What an experiment has found so far, in words."""

    def __init__(self, chosen: Experiment[Any]) -> None:
        self._experiment = chosen
        self._figures: dict[str, FigureBody] = {}
        self._findings: dict[str, ExperimentFinding] = {}
        self._numbers: JsonObject = {}

    def add(self, update: Update) -> None:
        """Take in an update: what it has replaces what was there under the same id or name."""
        self._figures |= {one.id: worded_figure(self._experiment, one) for one in update.figures}
        self._numbers |= finite_values(update.numbers)
        for one in update.findings:
            clean = one.model_copy(update={"numbers": finite_values(one.numbers)})
            self._findings[one.id] = worded_finding(self._experiment, clean)

    @property
    def figures(self) -> list[FigureBody]:
        return list(self._figures.values())

    @property
    def findings(self) -> list[ExperimentFinding]:
        return list(self._findings.values())

    def result(self, parameters: Parameters, seed: int, seconds: float) -> ExperimentResult:
        return ExperimentResult(
            id=self._experiment.id,
            parameters=as_json(parameters),
            seed=seed,
            seconds=round(seconds, 4),
            numbers=self._numbers,
            figures=self.figures,
            findings=self.findings,
            versions=versions(),
        )


class _Pacing:
    """Lets through only so many events a second."""

    def __init__(self) -> None:
        self._progress_at = self._partial_at = -math.inf

    def events(self, update: Update, found: _Found) -> Run:
        now = time.monotonic()
        if now - self._progress_at >= PROGRESS_SECONDS:
            self._progress_at = now
            yield ExperimentProgressEvent(done=update.done, total=update.total)
        if found.figures and now - self._partial_at >= PARTIAL_SECONDS:
            self._partial_at = now
            yield ExperimentPartialEvent(
                done=update.done, total=update.total, figures=found.figures, findings=found.findings
            )


def versions() -> dict[str, str]:
    """What a result was computed with."""
    return {"gradoscope": VERSION, "torch": str(torch.__version__), "python": platform.python_version()}
