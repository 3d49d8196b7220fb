"""Estimates when there will be room for another request, from the work left and the recent throughput."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..contract.events import AcceptedEvent, Event, MetricEvent, PanelEvent, ProgressEvent

DECAY_SECONDS = 30.0  # time constant of the running means: older values weigh less than 1/e
MAX_WAIT = 120


@dataclass
class WorkLeft:
    """How much work a job has left, in evaluations, according to its events."""

    total: int | None = None  # unknown before `accepted`
    costs: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)

    @property
    def remaining(self) -> int | None:
        return None if self.total is None else max(0, self.total - sum(self.done.values()))

    def update(self, event: Event) -> int:
        """Take in an event. Returns how many more evaluations it reports."""
        if isinstance(event, AcceptedEvent):
            self.total = event.gradient_evaluations + (event.metric_evaluations or 0)
            self.costs = {panel.id: panel.cost for panel in event.panels}
            self.done = {}  # it may be a retry
        elif isinstance(event, PanelEvent):  # a stored or refused panel has sent no progress
            panel = event.panel.id
            self._reached(panel, self.costs.get(panel, 0))
        elif isinstance(event, MetricEvent) and (cost := event.metric.cost):
            self._reached(f"{event.panel}:{event.metric.metric}", cost.forwards + cost.gradients)
        elif isinstance(event, ProgressEvent):
            return self._reached(f"{event.panel}:{event.metric}" if event.metric else event.panel, event.done)
        return 0

    def _reached(self, part: str, evaluations: int) -> int:
        """A panel, or a metric of it, has come so far; how much further that is than before."""
        before = self.done.get(part, 0)
        self.done[part] = max(before, evaluations)
        return self.done[part] - before


class RetryAfter:
    """Running means of evaluations a second over all jobs, and of a job's duration; recent values weigh more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._evaluations = self._busy = 0.0
        self._latest: float | None = None
        self._job_seconds = 5.0

    def add_evaluations(self, evaluations: int) -> None:
        """Add evaluations done since the last call. The time since then counts as busy."""
        now = self._clock()
        if self._latest is not None:
            elapsed = now - self._latest
            decay = math.exp(-elapsed / DECAY_SECONDS)
            self._evaluations = self._evaluations * decay + evaluations
            self._busy = self._busy * decay + elapsed
        self._latest = now

    def pause(self) -> None:
        """Nothing runs: the time until the next call of `add_evaluations` does not count."""
        self._latest = None

    def add_job_seconds(self, seconds: float) -> None:
        """Add the duration of a job that has ended."""
        self._job_seconds += 0.2 * (seconds - self._job_seconds)

    def estimate(self, jobs: Iterable[tuple[WorkLeft, float]]) -> int:
        """Whole seconds until the first of the running jobs ends, 1 … 120. `jobs`: work left and start time of each.

        The jobs share the worker's throughput evenly. The mean duration of a job is used if its work is unknown, or if
        none runs because the worker is starting.
        """
        running, now = list(jobs), self._clock()
        throughput = self._evaluations / self._busy if self._evaluations and self._busy else None
        seconds = []
        for work_left, started_at in running:
            if throughput is None or work_left.remaining is None:
                seconds.append(self._job_seconds - (now - started_at))
            else:
                seconds.append(work_left.remaining * len(running) / throughput)
        return max(1, min(MAX_WAIT, math.ceil(min(seconds, default=self._job_seconds) - 1e-6)))
