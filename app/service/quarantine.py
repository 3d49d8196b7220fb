"""What has killed a worker lately, and is not tried again yet."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict

from cachetools import TTLCache

from ..contract.jobs import Job, Measure
from ..contract.problems import ComputationFailed

REFUSED_SECONDS = 600  # how long what has killed the worker is not tried again
MANY = 10_000  # jobs that are remembered at most
KILLER = (
    "The worker died twice while it computed this and nothing else. Take a smaller model, input size "
    "or number of steps."
)


class Quarantine:
    """Until when what was asked is refused, by a hash of it."""

    def __init__(self) -> None:
        self._until: TTLCache[str, float] = TTLCache(MANY, REFUSED_SECONDS)

    def check(self, job: Job) -> None:
        """Raise `ComputationFailed` where the same has killed a worker lately."""
        if self._until and (until := self._until.get(asked_of(job))):
            raise ComputationFailed(
                "The worker died when it last computed this, so it is not tried again yet. Take a smaller model, "
                "input size or number of steps.",
                retry_after=round(until - time.monotonic()) + 1,
            )

    def add(self, job: Job) -> ComputationFailed:
        """Refuse the same from now on; the problem to tell whoever asked for it."""
        self._until[asked_of(job)] = time.monotonic() + REFUSED_SECONDS
        return ComputationFailed(KILLER, retry_after=REFUSED_SECONDS)


def asked_of(job: Job) -> str:
    """A hash of what is asked: the picture and all parameters, whoever asks and under whatever id."""
    if isinstance(job, Measure):
        job = job.question
    asked = {name: value for name, value in asdict(job).items() if name not in ("id", "owner", "picture")}
    picture = hashlib.sha256(getattr(job, "picture", b"")).hexdigest()
    return hashlib.sha256(repr((type(job).__name__, picture, sorted(asked.items()))).encode()).hexdigest()
