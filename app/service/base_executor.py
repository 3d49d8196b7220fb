"""What every executor does with jobs in flight: admit, deliver events, count, end. Subclasses do the computing."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field, replace

from ..contract import request_id
from ..contract.catalogue import Catalogue
from ..contract.events import ErrorEvent, Event, MetricEvent, PanelEvent
from ..contract.experiment_events import ExperimentDoneEvent
from ..contract.jobs import AddMap, Explain, Flow, Job, Measure, Predict, RunExperiment
from ..contract.problems import (
    DeadlinePassed,
    NotFound,
    Problem,
    TooDemanding,
    TooManyRequests,
    Unavailable,
    Unprocessable,
)
from ..contract.records import Ending
from ..settings import Settings
from .event_queue import EventQueue
from .experiment_results import ExperimentResults
from .quarantine import Quarantine
from .retry_after import RetryAfter, WorkLeft
from .telemetry import Telemetry

START_SECONDS = 120  # how long `catalogue` waits for a worker that is starting


@dataclass
class RunningJob:
    """A job in flight, with the queue of events for the client who waits for it."""

    job: Job
    client: str
    request: str  # the HTTP request's id
    queue: EventQueue = field(default_factory=EventQueue)
    started_at: float = field(default_factory=time.monotonic)
    work_left: WorkLeft = field(default_factory=WorkLeft)
    has_events: bool = False  # whether an event has arrived yet
    deadline_timer: asyncio.TimerHandle | None = None


class BaseExecutor(ABC):
    """Common base of the executors. A subclass starts and stops the computing of a job, by its number."""

    def __init__(self, settings: Settings, limit: int) -> None:
        self.telemetry = Telemetry()
        self.telemetry.limit.set(limit)
        self._settings, self._limit = settings, limit
        self._jobs: dict[int, RunningJob] = {}
        self._numbers = itertools.count()
        self._retry_after, self._quarantine = RetryAfter(), Quarantine()
        self._experiment_results = ExperimentResults()
        self._stopping = False
        self._catalogue: Catalogue | None = None
        self._catalogue_known = asyncio.Event()
        self._unready_reason: str | None = "the worker is starting"
        self._loop: asyncio.AbstractEventLoop

    @abstractmethod
    def _start_job(self, number: int) -> None:
        """Start to compute a job, now or later."""

    @abstractmethod
    def _stop_job(self, number: int) -> bool:
        """Stop computing a job that was removed from the list. Returns whether it was being computed."""

    @abstractmethod
    def _record_end(self, explanation: str, end: Ending) -> None:
        """Write into an explanation's record how it ended, for a run that could not do so itself."""

    @abstractmethod
    def _forget_in_workers(self, explanation: str) -> None:
        """An explanation was deleted: make the workers delete it and drop cached pictures."""

    def _computing_jobs(self) -> Iterable[int]:
        """Numbers of the jobs that are being computed."""
        return self._jobs

    @abstractmethod
    def _check_available(self) -> None:
        """Raise `Unavailable` if no job can be taken now and waiting a moment would not help."""

    @property
    def unready(self) -> str | None:
        return self._unready_reason

    def __len__(self) -> int:
        return len(self._jobs)

    async def catalogue(self) -> Catalogue:
        try:
            await asyncio.wait_for(self._catalogue_known.wait(), START_SECONDS)
        except TimeoutError as error:
            raise Unavailable(f"Not ready: {self._unready_reason}.", retry_after=10) from error
        assert self._catalogue is not None
        return self._catalogue

    def drain(self) -> None:
        """Take no further job. Running jobs may end by themselves within the grace period; after it they fail."""
        if not self._stopping:
            self._stop_admitting()
            self._loop.call_later(self._settings.grace_seconds, self._fail_all)

    def _stop_admitting(self) -> None:
        self._stopping = True
        self._unready_reason = "the server is shutting down"

    def forget(self, explanation: str) -> None:
        self._loop.call_soon_threadsafe(self._forget, explanation)

    def _forget(self, explanation: str) -> None:
        for number, running in list(self._jobs.items()):
            if isinstance(running.job, Explain | Measure) and running.job.id == explanation:
                self._fail(number, NotFound("This explanation was deleted while it was being computed."))
        self._forget_in_workers(explanation)

    async def submit(self, job: Job, client: str = "") -> AsyncGenerator[Event, None]:
        if isinstance(job, RunExperiment) and (known := self._experiment_results.find(job)) is not None:
            self.telemetry.job_ended("done")
            yield known.accepted(seconds=0)
            yield known
            return
        self._admit(job)
        number = next(self._numbers)
        running = self._jobs[number] = RunningJob(job, client, request_id.current())
        running.deadline_timer = self._loop.call_later(self._settings.deadline, self._expire, number)
        self._update_gauges()
        try:
            self._start_job(number)
            while True:
                event = await running.queue.get()
                yield event
                if event.final:
                    return
        finally:
            if number in self._jobs:
                self._cancel(number)

    def _admit(self, job: Job) -> None:
        """Raise the problem if a job cannot be taken now."""
        if self._stopping:
            raise Unavailable("The server is shutting down.", retry_after=5)
        self._check_available()
        check_sendable(job)
        self._quarantine.check(job)
        if len(self._jobs) >= self._limit:
            raise self._too_many()

    def _too_many(self) -> TooManyRequests:
        computing = [self._jobs[number] for number in self._computing_jobs()]
        wait = self._retry_after.estimate((running.work_left, running.started_at) for running in computing)
        return TooManyRequests(
            f"{len(self._jobs)} requests are in flight, which is the limit. Try again in about {wait} s.",
            retry_after=wait,
        )

    def _remove(self, number: int) -> bool:
        """Remove a job, however it ended, and stop computing it. Returns whether it was being computed."""
        running = self._jobs.pop(number)
        if running.deadline_timer is not None:
            running.deadline_timer.cancel()
        computing = self._stop_job(number)
        self._update_gauges()
        return computing

    def _cancel(self, number: int) -> None:
        """The client no longer waits for a job: end it."""
        running = self._jobs[number]
        computing = self._remove(number)
        self.telemetry.job_ended("cancelled")
        if running.has_events and not computing and isinstance(running.job, Explain):
            # it waits for a retry: no run can record it
            self._record_end(running.job.id, Ending(status="cancelled"))

    def _expire(self, number: int) -> None:
        self._fail(number, deadline_passed(self._settings.deadline))

    def _fail(self, number: int, problem: Problem, recorded: bool = True) -> None:
        """End a job with a problem. `recorded`: the problem is also written into the explanation's record."""
        if running := self._jobs.get(number):
            self._remove(number)
            event = ErrorEvent(problem=problem.body())
            self.telemetry.job_ended(_outcome(event))
            if recorded and isinstance(running.job, Explain):
                self._record_end(running.job.id, Ending(status="failed", problem=event.problem))
            running.queue.put(event)

    def _fail_all(self) -> None:
        for number in list(self._jobs):
            self._fail(number, Unavailable("The server is shutting down.", retry_after=5))

    def _deliver(self, number: int, event: Event) -> None:
        """Pass an event to the client who waits for the job, and count it."""
        running = self._jobs.get(number)
        if running is None:
            return  # cancelled meanwhile
        running.has_events = True
        if done := running.work_left.update(event):
            self._retry_after.add_evaluations(done)
        if event.final:
            self._remove(number)
            self._retry_after.add_job_seconds(time.monotonic() - running.started_at)
            self.telemetry.job_ended(_outcome(event))
            if (
                isinstance(event, ErrorEvent) and event.problem.title == TooDemanding.title
            ):  # its decoder died or was stopped
                self.telemetry.decoder_deaths.inc()
        else:
            self._update_gauges()
            if isinstance(event, PanelEvent):
                self.telemetry.panel_ended(event.panel)
            elif isinstance(event, MetricEvent):
                self.telemetry.metric_ended(event.metric)
        if isinstance(event, ExperimentDoneEvent) and isinstance(running.job, RunExperiment):
            self._experiment_results.add(running.job, event)
        running.queue.put(event)

    def _update_gauges(self) -> None:
        self.telemetry.in_flight.set(len(self._jobs))
        self.telemetry.waiting.set(sum(not running.has_events for running in self._jobs.values()))

    def _set_catalogue(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._catalogue_known.set()


def check_sendable(job: Job) -> None:
    """Raise `Unprocessable` if a job cannot be sent to another process: it is tried before the job is admitted, without
    the picture, which is plain bytes."""
    try:
        pickle.dumps(_without_picture(job))
    except Exception as error:
        raise Unprocessable(
            f"The request cannot be sent to the worker ({type(error).__name__}). Ask for less deeply nested options.",
            field="options",
        ) from error


def _without_picture(job: Job) -> Job:
    if isinstance(job, Measure):
        return replace(job, request=replace(job.request, picture=b""))
    if isinstance(job, AddMap):
        return replace(job, values=b"")
    return replace(job, picture=b"") if isinstance(job, Explain | Predict | Flow) else job


def deadline_passed(seconds: float) -> DeadlinePassed:
    """The problem of a job that took longer than `seconds`."""
    return DeadlinePassed(
        f"It was not done within {seconds:g} s, the limit of a request, and was ended. Ask for less at once; maps that "
        "were finished are in the store."
    )


def _outcome(event: Event) -> str:
    if not isinstance(event, ErrorEvent):
        return "done"
    return "refused" if event.problem.status < 500 else "failed"
