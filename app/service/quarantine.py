"""Jobs that have killed a worker lately; they are refused for a while."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict

from cachetools import TTLCache

from ..contract.jobs import Job, Measure
from ..contract.problems import ComputationFailed

REFUSED_SECONDS = 600  # how long such a job is refused
MAX_JOBS = 10_000  # refused jobs that are remembered
WORKER_DIED = (
    "The worker died twice while it computed this and nothing else. Take a smaller model, input size "
    "or number of steps."
)


class Quarantine:
    """Until when a job is refused, by a hash of it."""

    def __init__(self) -> None:
        self._refused_until: TTLCache[str, float] = TTLCache(MAX_JOBS, REFUSED_SECONDS)

    def check(self, job: Job) -> None:
        """Raise `ComputationFailed` if the same job has killed a worker lately."""
        if self._refused_until and (until := self._refused_until.get(job_hash(job))):
            raise ComputationFailed(
                "The worker died when it last computed this, so it is not tried again yet. Take a smaller model, "
                "input size or number of steps.",
                retry_after=round(until - time.monotonic()) + 1,
            )

    def add(self, job: Job) -> ComputationFailed:
        """Refuse this job from now on. Returns the problem for the client who sent it."""
        self._refused_until[job_hash(job)] = time.monotonic() + REFUSED_SECONDS
        return ComputationFailed(WORKER_DIED, retry_after=REFUSED_SECONDS)


def job_hash(job: Job) -> str:
    """A hash of the picture and all parameters, the same for every client and id."""
    if isinstance(job, Measure):
        job = job.request
    parameters = {name: value for name, value in asdict(job).items() if name not in ("id", "owner", "picture")}
    picture = hashlib.sha256(getattr(job, "picture", b"")).hexdigest()
    return hashlib.sha256(repr((type(job).__name__, picture, sorted(parameters.items()))).encode()).hexdigest()
