"""The interface to computing: a job goes in, events come out, closing the generator cancels."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from ..contract.catalogue import Catalogue
from ..contract.events import Event
from ..contract.jobs import Job
from .telemetry import Telemetry


class Executor(Protocol):
    async def start(self) -> None:
        """Start. Does not wait until it is ready."""

    def drain(self) -> None:
        """Take no further job; running jobs get the grace period. Does not wait."""

    async def stop(self) -> None:
        """End everything that was started."""

    def kill(self) -> None:
        """End computing at once, without a message to anyone. Does not wait."""

    @property
    def telemetry(self) -> Telemetry:
        """The counters so far."""

    @property
    def unready(self) -> str | None:
        """Why nothing can be computed now; None if it can."""

    async def catalogue(self) -> Catalogue:
        """Models, methods and metrics; waits until the worker has started. Raises `Unavailable`."""

    def forget(self, explanation: str) -> None:
        """An explanation was deleted: stop computing it, and drop cached pictures.

        Does not wait. May be called from any thread.
        """

    def submit(self, job: Job, client: str = "") -> AsyncGenerator[Event, None]:
        """The events of a job; the last one is final. Closing the generator ends the job at the next micro-batch.

        `client` names the client: turns are fair between clients first, then between the jobs of each.
        Raises `TooManyRequests` if the queue is full, `ComputationFailed` for a job that has killed a worker lately.
        """
