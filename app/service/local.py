"""Computing in one worker process on this machine."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from .. import request_id
from ..errors import ComputationFailed, DeadlinePassed, NotFound, Problem, TooDemanding, TooManyRequests, Unavailable
from ..settings import Settings
from .forecast import Forecast, Progress
from .jobs import Event, Explain, Job
from .link import Link, Work
from .mailbox import Mailbox
from .metrics import Metrics
from .roll import Roll
from .worker import work

log = logging.getLogger(__name__)
START_SECONDS = 120  # how long a request for the catalogue waits for a starting worker
PULSE_SECONDS = 15  # between two questions to the worker whether it is there; it answers between two turns
SILENT_PULSES = 20  # unanswered, after which it hangs: no start and no turn takes so long
REFUSED_SECONDS = 600  # how long what has killed the worker is not tried again
STARTS = 3  # failed starts in a row, after which nobody is kept waiting for the next


@dataclass
class _Running:
    job: Job
    client: str
    request: str  # its id
    mailbox: Mailbox = field(default_factory=Mailbox)
    began: float = field(default_factory=time.monotonic)
    progress: Progress = field(default_factory=Progress)
    told: bool = False  # whether something came of it yet
    alarm: asyncio.TimerHandle | None = None  # of its deadline


class LocalExecutor:
    """Jobs in a worker process that is started again when it dies; what ran then runs again, as `Roll` has it."""

    def __init__(self, settings: Settings, work: Work = work) -> None:
        self.metrics = Metrics()
        self.metrics.limit.set(settings.max_requests)
        self._settings, self._work = settings, work
        self._jobs: dict[int, _Running] = {}
        self._numbers = itertools.count()
        self._roll, self._forecast = Roll(), Forecast()
        self._refused: dict[str, float] = {}  # until when, by what was asked
        self._link: Link | None = None
        self._ready = self._stopping = False
        self._catalogue: dict[str, Any] | None = None
        self._known = asyncio.Event()
        self._reason: str | None = "the worker is starting"
        self._deaths = 0  # since one was ready
        self._silent = 0  # pulses
        self._watching: asyncio.Task[None] | None = None
        self._unmarked: dict[str, dict[str, Any]] = {}  # what the next worker is to note of explanations

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watching = asyncio.create_task(self._watch())
        self._spawn()

    def drain(self) -> None:
        """Take nothing more; what runs may end by itself for a time of grace, then it is told that it will not."""
        if not self._stopping:
            self._stopping = True
            self._reason = "the server is shutting down"
            self._loop.call_later(self._settings.grace_seconds, self._end_all)

    async def stop(self) -> None:
        self._stopping = True
        self._reason = "the server is shutting down"
        self._end_all()
        if self._watching is not None:
            self._watching.cancel()
        if self._link is not None:
            if not self._ready:  # one that starts does not listen
                self._link.kill()
            await asyncio.to_thread(self._link.stop)

    def kill(self) -> None:
        """End the worker as it stands, from wherever this is called; nothing is told to anyone."""
        if self._link is not None:
            self._link.kill()

    @property
    def unready(self) -> str | None:
        return self._reason

    @property
    def worker_pid(self) -> int | None:
        return self._link.process.pid if self._link else None

    def __len__(self) -> int:
        return len(self._jobs)

    async def catalogue(self) -> dict[str, Any]:
        try:
            await asyncio.wait_for(self._known.wait(), START_SECONDS)
        except TimeoutError as error:
            raise Unavailable(f"Not ready: {self._reason}.", retry_after=10) from error
        assert self._catalogue is not None
        return self._catalogue

    def forget(self, explanation: str) -> None:
        self._loop.call_soon_threadsafe(self._forget, explanation)

    def _forget(self, explanation: str) -> None:
        for number, running in list(self._jobs.items()):
            if isinstance(running.job, Explain) and running.job.id == explanation:
                self._fail(number, NotFound("This explanation was deleted while it was being computed."))
        self._unmarked.pop(explanation, None)
        self._post("forget", explanation)

    async def submit(self, job: Job, client: str = "") -> AsyncGenerator[Event, None]:
        self._admit(job)
        number = next(self._numbers)
        running = self._jobs[number] = _Running(job, client, request_id.current())
        running.alarm = self._loop.call_later(self._settings.deadline, self._expire, number)
        self._roll.add(number)
        self._count()
        self._dispatch()
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
        if self._deaths >= STARTS:
            raise Unavailable(f"Not ready: {self._reason}.", retry_after=30)
        now = time.monotonic()
        self._refused = {asked: until for asked, until in self._refused.items() if until > now}
        if self._refused and (until := self._refused.get(asked_of(job))):
            raise ComputationFailed(
                "The worker died when it last computed this, so it is not tried again yet. Take a smaller model, "
                "input size or number of steps.",
                retry_after=round(until - now) + 1,
            )
        if len(self._jobs) >= self._settings.max_requests:
            wait = self._forecast.wait(
                (self._jobs[number].progress, self._jobs[number].began) for number in self._roll.running
            )
            raise TooManyRequests(
                f"{len(self._jobs)} requests are in flight, which is the limit. Try again in about {wait} s.",
                retry_after=wait,
            )

    def _dispatch(self) -> None:
        """Send the worker those jobs whose turn it is. One that is not ready is not sent any: its start is its own."""
        if not self._ready:
            return
        for number in self._roll.next():
            if len(self._roll.running) == 1:
                self._forecast.rested()
            running = self._jobs[number]
            self._post("run", number, running.job, running.client, running.request)

    def _end(self, number: int) -> _Running:
        """Take a job off, in whatever way it ended; one that the worker still has is ended there."""
        running = self._jobs.pop(number)
        if running.alarm is not None:
            running.alarm.cancel()
        if number in self._roll.running:
            self._post("cancel", number)
        self._roll.remove(number)
        self._count()
        self._dispatch()
        return running

    def _leave(self, number: int) -> None:
        """Nobody waits for a job any more."""
        with_worker = number in self._roll.running
        running = self._end(number)
        self.metrics.ended("cancelled")
        if running.told and not with_worker and isinstance(running.job, Explain):
            self._mark(running.job.id, {"status": "cancelled"})  # it waits to run again, and there is no run to say so

    def _expire(self, number: int) -> None:
        problem = DeadlinePassed(
            f"It was not done within {self._settings.deadline:g} s, the limit of a request, and was ended. Ask for "
            "less at once; maps that were finished are in the store."
        )
        self._fail(number, problem)

    def _fail(self, number: int, problem: Problem) -> None:
        """End a job from here."""
        if number in self._jobs:
            running = self._end(number)
            self.metrics.ended(_outcome(Event("error", problem.as_dict())))
            if isinstance(running.job, Explain):
                self._mark(running.job.id, {"status": "failed", "problem": problem.as_dict()})
            running.mailbox.put(Event("error", problem.as_dict()))

    def _end_all(self) -> None:
        for number in list(self._jobs):
            self._fail(number, Unavailable("The server is shutting down.", retry_after=5))

    def _mark(self, explanation: str, end: dict[str, Any]) -> None:
        """Have it noted what has become of an explanation that did not get to say so itself."""
        self._unmarked[explanation] = end
        self._note()

    def _note(self) -> None:
        if self._ready:
            for marked in self._unmarked.items():
                self._post("mark", *marked)
            self._unmarked.clear()

    def _post(self, *message: Any) -> None:
        if self._link is not None:
            self._link.post(*message)

    def _count(self) -> None:
        self.metrics.in_flight.set(len(self._jobs))
        self.metrics.waiting.set(sum(not running.told for running in self._jobs.values()))

    def _spawn(self) -> None:
        def on_loop(callback: Callable[..., None]) -> Callable[..., None]:
            def call(*arguments: Any) -> None:
                if not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(callback, *arguments)

            return call

        self._silent = 0
        self._link = Link(self._work, self._settings, on_loop(self._receive), on_loop(self._died))
        self.metrics.worker_began(self._link.process.pid)

    def _receive(self, message: tuple[Any, ...]) -> None:
        self._silent = 0
        if message[0] == "event":
            self._deliver(message[1], message[2])
        elif message[0] == "effort":
            self.metrics.worker_told(message[1])
        elif message[0] == "failed":
            self._reason = f"the worker cannot start: {message[1]}"
        elif message[0] in ("ready", "catalogue"):
            self._catalogue = message[1]
            self._known.set()
            if message[0] == "ready":
                self._ready, self._deaths = True, 0
                if not self._stopping:
                    self._reason = None
                going_on = [running.job.id for running in self._jobs.values() if isinstance(running.job, Explain)]
                self._post("begin", going_on)
                self._note()
                self._dispatch()

    def _deliver(self, number: int, event: Event) -> None:
        running = self._jobs.get(number)
        if running is None:
            return  # cancelled meanwhile
        running.told = True
        if done := running.progress.note(event):
            self._forecast.worked(done)
        if event.final:
            self._roll.remove(number)  # the worker is done with it
            self._end(number)
            self._forecast.ended(time.monotonic() - running.began)
            self.metrics.ended(_outcome(event))
            if event.data.get("title") == TooDemanding.title:
                self.metrics.decoder_deaths.inc()
        else:
            self._count()
            if event.name == "panel":
                self.metrics.panel(event.data["panel"])
        running.mailbox.put(event)

    def _died(self) -> None:
        self._link, was_ready, self._ready = None, self._ready, False
        if self._stopping:
            self._end_all()
            return
        self._deaths += 1
        self.metrics.worker_deaths.inc()
        if was_ready:
            self._reason = "the worker died and is being started again"
        log.error("the worker died; %d jobs are tried again, one at a time", len(self._roll.running))
        for number in self._roll.death():
            self._refused[asked_of(self._jobs[number].job)] = time.monotonic() + REFUSED_SECONDS
            self._fail(
                number,
                ComputationFailed(
                    "The worker died twice while it computed this and nothing else. Take a smaller model, input size "
                    "or number of steps.",
                    retry_after=REFUSED_SECONDS,
                ),
            )
        if self._deaths >= STARTS:
            for number in list(self._jobs):
                self._fail(number, Unavailable(f"Not ready: {self._reason}.", retry_after=30))
        # at once the first time, then with growing pauses: a worker that cannot start must not spin
        self._loop.call_later(0 if self._deaths == 1 else min(2.0**self._deaths, 30), self._respawn)

    def _respawn(self) -> None:
        if not self._stopping:
            self._spawn()

    async def _watch(self) -> None:
        """End a worker that hangs. Pulses are counted, not seconds: a machine that sleeps is no worker that hangs."""
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            if self._link is None:
                continue
            if self._silent == 0:
                self._post("ping")
            self._silent += 1
            if self._silent > SILENT_PULSES:
                log.error("the worker has said nothing for %d s and is ended", PULSE_SECONDS * SILENT_PULSES)
                self._silent = 0
                self._link.kill()


def asked_of(job: Job) -> str:
    """A hash of what is asked: the picture and all parameters, whoever asks and under whatever id."""
    asked = {name: value for name, value in asdict(job).items() if name not in ("id", "owner", "picture")}
    picture = hashlib.sha256(getattr(job, "picture", b"")).hexdigest()
    return hashlib.sha256(repr((type(job).__name__, picture, sorted(asked.items()))).encode()).hexdigest()


def _outcome(event: Event) -> str:
    if event.name != "error":
        return "done"
    return "refused" if event.data["status"] < 500 else "failed"
