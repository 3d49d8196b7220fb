"""The executor that runs jobs on the replicas of a Ray Serve deployment."""

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
from ...contract.server import RefreshResult
from ...contract.workers import ReplicaState
from ...settings import Settings
from ..base_executor import BaseExecutor, RunningJob
from .catalogues import merge_catalogues

log = logging.getLogger(__name__)
POLL_SECONDS = 3  # between two calls of `report` on all replicas
ANSWER_SECONDS = 10  # time limit for a replica's answer; short, since its event loop never computes
Connect = Callable[[], Awaitable[Any]]  # connects to the cluster, returns the deployment's handle


class ClusterExecutor(BaseExecutor):
    """Runs jobs on the replicas of the `Explainer` deployment.

    If a replica dies, its jobs run once more on another one, one such job at a time. If that replica dies too, the job
    was the cause. `connect` returns the deployment's handle; `leave` shuts down what `connect` has started.
    """

    def __init__(self, settings: Settings, connect: Connect, leave: Callable[[], None] = lambda: None) -> None:
        super().__init__(settings, settings.max_requests * settings.cluster_replicas_max)
        self._connect, self._leave_cluster = connect, leave
        self._handle: Any = None
        self._connected = asyncio.Event()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._computing: set[int] = set()  # jobs for which a replica has sent events, but not the last one
        self._retry_lock = asyncio.Lock()  # held by the one job that is being retried
        self._reports: dict[str, ReplicaState] = {}  # by replica: its last report that had a catalogue
        self._background_tasks: set[asyncio.Task[Any]] = set()
        self._watch_task: asyncio.Task[None] | None = None
        self._unready_reason = "the replicas are starting"

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watch_task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        self._stop_admitting()
        self._fail_all()
        if self._watch_task is not None:
            self._watch_task.cancel()
        if self._background_tasks:  # broadcasts about jobs that have just ended
            await asyncio.wait(self._background_tasks, timeout=ANSWER_SECONDS)
        await asyncio.to_thread(self._leave_cluster)

    def kill(self) -> None:
        """Leave the cluster at once, and shut it down if this process started it."""
        self._leave_cluster()

    def _check_available(self) -> None:
        pass

    def _start_job(self, number: int) -> None:
        if len(self._jobs) == 1:
            self._retry_after.pause()
        self._tasks[number] = asyncio.create_task(self._compute(number))

    def _stop_job(self, number: int) -> bool:
        """Cancel a job. Returns whether a replica was computing it."""
        if (task := self._tasks.pop(number, None)) and task is not asyncio.current_task():
            task.cancel()
        computing = number in self._computing
        self._computing.discard(number)
        return computing

    def _record_end(self, explanation: str, end: Ending) -> None:
        self._broadcast("record_end", explanation, end)

    def _forget_in_workers(self, explanation: str) -> None:
        self._broadcast("forget", explanation)

    def _deliver(self, number: int, event: Event) -> None:
        if event.final:
            self._computing.discard(number)
        else:
            self._computing.add(number)
        super()._deliver(number, event)

    async def _compute(self, number: int) -> None:
        """Run a job on a replica, and once more on another one if that replica dies."""
        running = self._jobs[number]
        try:
            await self._connected.wait()
            try:
                await self._run_once(number, running)
            except RayActorError as error:
                self._replica_died(number, error)
                async with self._retry_lock:
                    await self._run_once(number, running)
        except RayActorError as error:
            self._replica_died(number, error)
            self._fail(number, self._quarantine.add(running.job))
        except BackPressureError:
            self._fail(number, self._too_many(), recorded=False)
        except DeploymentUnavailableError:
            self._fail(number, Unavailable("Not ready: no replica can be started.", retry_after=30))
        except Problem as problem:
            self._fail(number, problem)
        except Exception as error:
            log.exception("computing broke off")
            self._fail(number, ComputationFailed(f"The computation broke off ({type(error).__name__})."))

    def _replica_died(self, number: int, error: Exception) -> None:
        self.telemetry.worker_deaths.inc()
        self._computing.discard(number)
        log.error("a replica died while it computed: %s", str(error).splitlines()[0][:200])

    async def _run_once(self, number: int, running: RunningJob) -> None:
        """Run a job once and deliver its events. Raises whatever went wrong."""
        if isinstance(running.job, Refresh):
            self._take_reports(await self._call_all("refresh"))
            self._deliver(number, ResultEvent(result=RefreshResult()))
            return
        model = model_of(running.job, self._settings)
        handle = self._handle.options(method_name="run", stream=True, multiplexed_model_id=model)
        seconds_left = self._settings.deadline - (time.monotonic() - running.started_at)
        response = handle.remote(running.job, running.client, running.request, seconds_left)
        try:
            async for kind, content in response:
                if kind == "report":
                    self._take_report(content)
                else:
                    self._deliver(number, content)
        except BaseException:
            response.cancel()
            raise
        if number in self._jobs:
            raise ComputationFailed("The computation broke off. The log where it was computed has the details.")

    def _broadcast(self, method: str, *arguments: Any) -> None:
        """Call a method on all replicas; does not wait."""

        async def call() -> None:
            with suppress(Exception):
                await self._call_all(method, *arguments)

        if self._handle is not None:
            task = self._loop.create_task(call())
            self._background_tasks.add(task)
            task.add_done_callback(self._background_tasks.discard)

    async def _call_all(self, method: str, *arguments: Any) -> list[Any]:
        """Call a method on all replicas. Returns the answers of those that answer in time."""
        response = self._handle.broadcast(method, *arguments)
        answers = await response.results_async(timeout_s=ANSWER_SECONDS, return_exceptions=True)
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def _watch(self) -> None:
        """Connect, then collect the replicas' reports every `POLL_SECONDS`."""
        try:
            self._handle = await self._connect()
        except Exception as error:
            log.exception("the cluster cannot be used")
            self._unready_reason = f"the cluster cannot be used: {error}"
            return
        self._connected.set()
        while True:
            # a replica sends its catalogue only if it has a newer one
            known = {name: report["catalogue_version"] for name, report in self._reports.items()}
            try:
                answers = await self._call_all("report", known)
            except Exception:
                log.warning("the replicas cannot be asked", exc_info=True)
                answers = []
            self._take_reports(answers)
            if not self._stopping:
                self._unready_reason = None if answers else "no replica is there yet"
            await asyncio.sleep(POLL_SECONDS)

    def _take_reports(self, answers: list[ReplicaState]) -> None:
        """Take in the reports of all replicas. A replica without a report is gone."""
        missing = self._reports.keys() - {report["replica"] for report in answers}
        for name in missing:
            del self._reports[name]
            self.telemetry.worker_removed(name)
        for report in answers:
            self._take_report(report)

    def _take_report(self, report: ReplicaState) -> None:
        """Take in a replica's report. If it brings a new catalogue, store it and merge the catalogues again."""
        name, catalogue = report["replica"], report["catalogue"]
        self.telemetry.worker_reported(report["counters"], name)
        if catalogue is not None:
            if self._reports.pop(name, None) is None:
                self.telemetry.worker_started(None)
            self._reports[name] = report  # pop and insert: the newest report comes last
            self._set_catalogue(
                merge_catalogues(
                    [report["catalogue"] for report in self._reports.values() if report["catalogue"] is not None]
                )
            )


def model_of(job: Job, settings: Settings) -> str:
    """The id of the first model that a job needs; empty if it needs none. Ray prefers a replica that has it."""
    if isinstance(job, Explain | Predict):
        return job.models[0] if job.models else settings.default_model
    if isinstance(job, Measure):
        return model_of(job.request, settings)
    if isinstance(job, Flow):
        return job.model or settings.default_model
    if isinstance(job, Estimate | Labels | Locate):
        return job.model
    return ""
