"""Computing on the replicas of a Ray Serve deployment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from ...contract.events import Event, ResultEvent
from ...contract.jobs import Estimate, Explain, Flow, Job, Labels, Locate, Measure, Predict, Refresh
from ...contract.problems import ComputationFailed, Problem, Unavailable
from ...contract.records import Ending
from ...contract.server import Refreshed
from ...contract.workers import ReplicaState
from ...settings import Settings
from ..base_executor import BaseExecutor, Running
from .catalogues import merged

log = logging.getLogger(__name__)
POLL_SECONDS = 3  # between two questions to all replicas
ANSWER_SECONDS = 10  # that a replica has for an answer: its event loop never computes
Connect = Callable[[], Awaitable[Any]]


class ClusterExecutor(BaseExecutor):
    """Jobs on the replicas behind a handle of `Explainer`.

    What ran on a replica that dies runs again on another one, once, and one such job at a time: where that one dies
    too, it was this job. `connect` gives the handle, `leave` takes away what it has started.
    """

    def __init__(self, settings: Settings, connect: Connect, leave: Callable[[], None] = lambda: None) -> None:
        super().__init__(settings, settings.max_requests * settings.cluster_replicas_max)
        self._connect, self._leave_cluster = connect, leave
        self._handle: Any = None
        self._connected = asyncio.Event()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._computing: set[int] = set()  # of which a replica has told something
        self._again = asyncio.Lock()  # held by the one job that is tried again
        self._told: dict[str, ReplicaState] = {}  # by replica, what it has told last
        self._others: set[asyncio.Task[Any]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._reason = "the replicas are starting"

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        self._shut()
        self._end_all()
        if self._watching is not None:
            self._watching.cancel()
        if self._others:  # notes of what was ended
            await asyncio.wait(self._others, timeout=ANSWER_SECONDS)
        await asyncio.to_thread(self._leave_cluster)

    def kill(self) -> None:
        """Leave the cluster as it stands, and end it where it was started here."""
        self._leave_cluster()

    def _check(self) -> None:
        pass

    def _begin(self, number: int) -> None:
        if len(self._jobs) == 1:
            self._forecast.rested()
        self._tasks[number] = asyncio.create_task(self._compute(number))

    def _cease(self, number: int) -> bool:
        if (task := self._tasks.pop(number, None)) and task is not asyncio.current_task():
            task.cancel()
        computing = number in self._computing
        self._computing.discard(number)
        return computing

    def _mark(self, explanation: str, end: Ending) -> None:
        self._to_all("conclude", explanation, end)

    def _let_go(self, explanation: str) -> None:
        self._to_all("forget", explanation)

    def _deliver(self, number: int, event: Event) -> None:
        if event.final:
            self._computing.discard(number)
        else:
            self._computing.add(number)
        super()._deliver(number, event)

    async def _compute(self, number: int) -> None:
        """Have a job computed by a replica, and once more by another where it dies."""
        running = self._jobs[number]
        try:
            await self._connected.wait()
            try:
                await self._follow(number, running)
            except RayActorError as error:
                self._died(number, error)
                async with self._again:
                    await self._follow(number, running)
        except RayActorError as error:
            self._died(number, error)
            self._fail(number, self._quarantine.add(running.job))
        except BackPressureError:
            self._fail(number, self._too_many(), begun=False)
        except DeploymentUnavailableError:
            self._fail(number, Unavailable("Not ready: no replica can be started.", retry_after=30))
        except Problem as problem:
            self._fail(number, problem)
        except Exception as error:
            log.exception("computing broke off")
            self._fail(number, ComputationFailed(f"The computation broke off ({type(error).__name__})."))

    def _died(self, number: int, error: Exception) -> None:
        self.metrics.worker_deaths.inc()
        self._computing.discard(number)
        log.error("a replica died while it computed: %s", str(error).splitlines()[0][:200])

    async def _follow(self, number: int, running: Running) -> None:
        """One try. Raises what came between."""
        if isinstance(running.job, Refresh):
            self._hear_all(await self._ask_all("refresh"))
            self._deliver(number, ResultEvent(result=Refreshed()))
            return
        model = model_of(running.job, self._settings)
        handle = self._handle.options(method_name="run", stream=True, multiplexed_model_id=model)
        left = self._settings.deadline - (time.monotonic() - running.began)
        response = handle.remote(running.job, running.client, running.request, left)
        try:
            async for kind, told in response:
                if kind == "tell":
                    self._hear(told)
                else:
                    self._deliver(number, told)
        except BaseException:
            response.cancel()
            raise
        if number in self._jobs:
            raise ComputationFailed("The computation broke off. The server's log has the details.")

    def _to_all(self, method: str, *arguments: Any) -> None:
        """Tell all replicas something; does not wait."""

        async def tell() -> None:
            with suppress(Exception):
                await self._ask_all(method, *arguments)

        if self._handle is not None:
            task = self._loop.create_task(tell())
            self._others.add(task)
            task.add_done_callback(self._others.discard)

    async def _ask_all(self, method: str, *arguments: Any) -> list[Any]:
        """What the replicas that are there answer."""
        response = self._handle.broadcast(method, *arguments)
        answers = await response.results_async(timeout_s=ANSWER_SECONDS, return_exceptions=True)
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def _watch(self) -> None:
        """Connect, then hear from the replicas again and again."""
        try:
            self._handle = await self._connect()
        except Exception as error:
            log.exception("the cluster cannot be used")
            self._reason = f"the cluster cannot be used: {error}"
            return
        self._connected.set()
        while True:
            known = {name: told["edition"] for name, told in self._told.items()}
            try:
                answers = await self._ask_all("tell", known)
            except Exception:
                log.warning("the replicas cannot be asked", exc_info=True)
                answers = []
            self._hear_all(answers)
            if not self._stopping:
                self._reason = None if answers else "no replica is there yet"
            await asyncio.sleep(POLL_SECONDS)

    def _hear_all(self, answers: list[ReplicaState]) -> None:
        """All replicas have told of themselves: those that did not are gone."""
        gone = self._told.keys() - {told["replica"] for told in answers}
        for name in gone:
            del self._told[name]
            self.metrics.worker_left(name)
        for told in answers:
            self._hear(told)

    def _hear(self, told: ReplicaState) -> None:
        name, catalogue = told["replica"], told["catalogue"]
        self.metrics.worker_told(told["effort"], name)
        if catalogue is not None:
            if self._told.pop(name, None) is None:
                self.metrics.worker_began(None)
            self._told[name] = told  # the newest last
            self._learn(merged([told["catalogue"] for told in self._told.values() if told["catalogue"] is not None]))


def model_of(job: Job, settings: Settings) -> str:
    """The model that a job needs first."""
    if isinstance(job, Explain | Predict):
        return job.models[0] if job.models else settings.default_model
    if isinstance(job, Measure):
        return model_of(job.question, settings)
    if isinstance(job, Flow):
        return job.model or settings.default_model
    if isinstance(job, Estimate | Labels | Locate):
        return job.model
    return ""
