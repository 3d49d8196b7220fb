"""Jobs in flight, as every executor has them: admitted, told, counted and ended. Who computes them is for others."""

from __future__ import annotations

import asyncio
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field

from ..contract import request_id
from ..contract.catalogue import Catalogue
from ..contract.events import ErrorEvent, Event, MetricEvent, PanelEvent
from ..contract.jobs import Explain, Job, Measure
from ..contract.problems import DeadlinePassed, NotFound, Problem, TooDemanding, TooManyRequests, Unavailable
from ..contract.records import Ending
from ..settings import Settings
from .event_queue import EventQueue
from .quarantine import Quarantine
from .retry_after import RetryAfter, WorkLeft
from .telemetry import Telemetry

START_SECONDS = 120  # how long a request for the catalogue waits for a starting worker


@dataclass
class Running:
    """A job that somebody waits for."""

    job: Job
    client: str
    request: str  # its id
    mailbox: EventQueue = field(default_factory=EventQueue)
    began: float = field(default_factory=time.monotonic)
    progress: WorkLeft = field(default_factory=WorkLeft)
    told: bool = False  # whether something came of it yet
    alarm: asyncio.TimerHandle | None = None  # of its deadline


class BaseExecutor(ABC):
    """What executors have in common. A subclass begins and ceases the computing of jobs by their number."""

    def __init__(self, settings: Settings, limit: int) -> None:
        self.metrics = Telemetry()
        self.metrics.limit.set(limit)
        self._settings, self._limit = settings, limit
        self._jobs: dict[int, Running] = {}
        self._numbers = itertools.count()
        self._forecast, self._quarantine = RetryAfter(), Quarantine()
        self._stopping = False
        self._catalogue: Catalogue | None = None
        self._known = asyncio.Event()
        self._reason: str | None = "the worker is starting"
        self._loop: asyncio.AbstractEventLoop

    @abstractmethod
    def _begin(self, number: int) -> None:
        """Have a job computed, now or later."""

    @abstractmethod
    def _cease(self, number: int) -> bool:
        """End the computing of a job that is off the list. Whether there was any."""

    @abstractmethod
    def _mark(self, explanation: str, end: Ending) -> None:
        """Have it noted what has become of an explanation that did not get to say so itself."""

    @abstractmethod
    def _let_go(self, explanation: str) -> None:
        """An explanation was deleted, and those that compute are to let go of pictures."""

    def _at_work(self) -> Iterable[int]:
        """Numbers of the jobs that are being computed."""
        return self._jobs

    @abstractmethod
    def _check(self) -> None:
        """Raise `Unavailable` where nothing can be taken now, for a reason that will not pass soon."""

    @property
    def unready(self) -> str | None:
        return self._reason

    def __len__(self) -> int:
        return len(self._jobs)

    async def catalogue(self) -> Catalogue:
        try:
            await asyncio.wait_for(self._known.wait(), START_SECONDS)
        except TimeoutError as error:
            raise Unavailable(f"Not ready: {self._reason}.", retry_after=10) from error
        assert self._catalogue is not None
        return self._catalogue

    def drain(self) -> None:
        """Take nothing more; what runs may end by itself for a time of grace, then it is told that it will not."""
        if not self._stopping:
            self._shut()
            self._loop.call_later(self._settings.grace_seconds, self._end_all)

    def _shut(self) -> None:
        self._stopping = True
        self._reason = "the server is shutting down"

    def forget(self, explanation: str) -> None:
        self._loop.call_soon_threadsafe(self._forget, explanation)

    def _forget(self, explanation: str) -> None:
        for number, running in list(self._jobs.items()):
            if isinstance(running.job, Explain | Measure) and running.job.id == explanation:
                self._fail(number, NotFound("This explanation was deleted while it was being computed."))
        self._let_go(explanation)

    async def submit(self, job: Job, client: str = "") -> AsyncGenerator[Event, None]:
        self._admit(job)
        number = next(self._numbers)
        running = self._jobs[number] = Running(job, client, request_id.current())
        running.alarm = self._loop.call_later(self._settings.deadline, self._expire, number)
        self._count()
        self._begin(number)
        try:
            while True:
                event = await running.mailbox.get()
                yield event
                if event.final:
                    return
        finally:
            if number in self._jobs:
                self._leave(number)

    def _admit(self, job: Job) -> None:
        """Raise the problem where a job cannot be taken now."""
        if self._stopping:
            raise Unavailable("The server is shutting down.", retry_after=5)
        self._check()
        self._quarantine.check(job)
        if len(self._jobs) >= self._limit:
            raise self._too_many()

    def _too_many(self) -> TooManyRequests:
        at_work = [self._jobs[number] for number in self._at_work()]
        wait = self._forecast.wait((running.progress, running.began) for running in at_work)
        return TooManyRequests(
            f"{len(self._jobs)} requests are in flight, which is the limit. Try again in about {wait} s.",
            retry_after=wait,
        )

    def _end(self, number: int) -> bool:
        """Take a job off, in whatever way it ended. Whether it was being computed, which is ended too."""
        running = self._jobs.pop(number)
        if running.alarm is not None:
            running.alarm.cancel()
        computing = self._cease(number)
        self._count()
        return computing

    def _leave(self, number: int) -> None:
        """Nobody waits for a job any more."""
        running = self._jobs[number]
        computing = self._end(number)
        self.metrics.ended("cancelled")
        if running.told and not computing and isinstance(running.job, Explain):
            # it waits to run again, and there is no run to say so
            self._mark(running.job.id, Ending(status="cancelled"))

    def _expire(self, number: int) -> None:
        self._fail(number, too_late(self._settings.deadline))

    def _fail(self, number: int, problem: Problem, begun: bool = True) -> None:
        """End a job from here. `begun`: there may be a record of it, which is to say so."""
        if running := self._jobs.get(number):
            self._end(number)
            event = ErrorEvent(problem=problem.body())
            self.metrics.ended(_outcome(event))
            if begun and isinstance(running.job, Explain):
                self._mark(running.job.id, Ending(status="failed", problem=event.problem))
            running.mailbox.put(event)

    def _end_all(self) -> None:
        for number in list(self._jobs):
            self._fail(number, Unavailable("The server is shutting down.", retry_after=5))

    def _deliver(self, number: int, event: Event) -> None:
        """Tell whoever waits for a job, and count."""
        running = self._jobs.get(number)
        if running is None:
            return  # cancelled meanwhile
        running.told = True
        if done := running.progress.note(event):
            self._forecast.worked(done)
        if event.final:
            self._end(number)
            self._forecast.ended(time.monotonic() - running.began)
            self.metrics.ended(_outcome(event))
            if isinstance(event, ErrorEvent) and event.problem.title == TooDemanding.title:
                self.metrics.decoder_deaths.inc()
        else:
            self._count()
            if isinstance(event, PanelEvent):
                self.metrics.panel(event.panel)
            elif isinstance(event, MetricEvent):
                self.metrics.measured(event.metric)
        running.mailbox.put(event)

    def _count(self) -> None:
        self.metrics.in_flight.set(len(self._jobs))
        self.metrics.waiting.set(sum(not running.told for running in self._jobs.values()))

    def _learn(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known.set()


def too_late(seconds: float) -> DeadlinePassed:
    """What is told of a job that was not done within its time."""
    return DeadlinePassed(
        f"It was not done within {seconds:g} s, the limit of a request, and was ended. Ask for less at once; maps that "
        "were finished are in the store."
    )


def _outcome(event: Event) -> str:
    if not isinstance(event, ErrorEvent):
        return "done"
    return "refused" if event.problem.status < 500 else "failed"
