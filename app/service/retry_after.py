"""When a place in the queue will be free: by what the running jobs have left, and the pace of late."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..contract.events import AcceptedEvent, Event, MetricEvent, PanelEvent, ProgressEvent

MEMORY_SECONDS = 30.0  # what was longer ago counts less than 1/e
LONGEST = 120


@dataclass
class WorkLeft:
    """How far a job is, in evaluations, as its events tell."""

    total: int | None = None  # not known before it was accepted
    costs: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> int | None:
        return None if self.total is None else max(0, self.total - sum(self.done.values()))

    def note(self, event: Event) -> int:
        """Take an event in; the evaluations that it tells of."""
        if isinstance(event, AcceptedEvent):
            self.total = event.gradient_evaluations + (event.metric_evaluations or 0)
            self.costs = {panel.id: panel.cost for panel in event.panels}
            self.done = {}  # it may have been begun before
        elif isinstance(event, PanelEvent):  # one that was stored, or refused, told of no progress
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
    """Evaluations a second, over all jobs, and a job's usual time; both weighted towards what was lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._evaluations = self._busy = 0.0
        self._latest: float | None = None
        self._job_seconds = 5.0

    def worked(self, evaluations: int) -> None:
        """So many evaluations are done since this was last called; the time counts while there is work."""
        now = self._clock()
        if self._latest is not None:
            passed = now - self._latest
            fade = math.exp(-passed / MEMORY_SECONDS)
            self._evaluations = self._evaluations * fade + evaluations
            self._busy = self._busy * fade + passed
        self._latest = now

    def rested(self) -> None:
        """Nothing runs: the time until there is work again does not count."""
        self._latest = None

    def ended(self, seconds: float) -> None:
        """A job took so long."""
        self._job_seconds += 0.2 * (seconds - self._job_seconds)

    def wait(self, jobs: Iterable[tuple[WorkLeft, float]]) -> int:
        """Whole seconds until the first of the running jobs, with the time when each began, has ended: 1 … 120.

        They share the worker, so each has its part of the pace; of one that has not told how much it is, and where none
        runs because the worker starts, the usual time of a job is taken.
        """
        listed, now = list(jobs), self._clock()
        pace = self._evaluations / self._busy if self._evaluations and self._busy else None
        seconds = []
        for progress, began in listed:
            if pace is None or progress.left is None:
                seconds.append(self._job_seconds - (now - began))
            else:
                seconds.append(progress.left * len(listed) / pace)
        return max(1, min(LONGEST, math.ceil(min(seconds, default=self._job_seconds) - 1e-6)))
