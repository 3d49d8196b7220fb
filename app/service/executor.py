"""The one interface behind which computing happens: a job goes in, events come out, closing cancels."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from ..contract.catalogue import Catalogue
from ..contract.events import Event
from ..contract.jobs import Job
from .telemetry import Telemetry


class Executor(Protocol):
    async def start(self) -> None:
        """Begin to get ready; does not wait until it is."""

    def drain(self) -> None:
        """Take no further job; those that run have a time of grace. Does not wait."""

    async def stop(self) -> None:
        """End everything that was started."""

    def kill(self) -> None:
        """End what computes as it stands, and tell nobody. Does not wait."""

    @property
    def metrics(self) -> Telemetry:
        """What was counted so far."""

    @property
    def unready(self) -> str | None:
        """Why nothing can be computed now; None where it can."""

    async def catalogue(self) -> Catalogue:
        """Models and methods; waits for the start. Raises `Unavailable`."""

    def forget(self, explanation: str) -> None:
        """An explanation was deleted: end what still computes it, and let go of what is remembered of pictures.

        Does not wait; for any thread.
        """

    def submit(self, job: Job, client: str = "") -> AsyncGenerator[Event, None]:
        """The events of a job, the last one final. Closing the generator ends the computation at the next micro-batch.

        `client` names who asks: turns are fair between clients first, then between the jobs of each.
        Raises `TooManyRequests` where the queue is full, `ComputationFailed` for what has killed a worker lately.
        """
