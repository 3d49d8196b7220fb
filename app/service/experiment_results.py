"""Results of experiments that were computed lately: the same question again is answered at once."""

from __future__ import annotations

import json

import cachetools

from ..contract.experiment_events import ExperimentDoneEvent
from ..contract.jobs import RunExperiment
from ..contract.version import VERSION

MAX_BYTES = 32 * 2**20  # of all results together, as JSON
MAX_RESULTS = 512


class ExperimentResults:
    """The last results, by all that determines them: experiment, parameters, seed, version and owner.

    They are kept in the process that admits jobs, so a hit needs no worker and no turn. Each server has its own; a
    restart forgets them. The least recently used go first. One owner never gets a result of another.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, max_results: int = MAX_RESULTS) -> None:
        self._max_results = max_results
        self._known: cachetools.LRUCache[str, tuple[ExperimentDoneEvent, int]] = cachetools.LRUCache(
            max_bytes, getsizeof=lambda entry: entry[1]
        )

    def __len__(self) -> int:
        return len(self._known)

    def find(self, job: RunExperiment) -> ExperimentDoneEvent | None:
        """The result of the same question, if it is still known."""
        found = self._known.get(key_of(job))
        return found[0] if found is not None else None

    def add(self, job: RunExperiment, done: ExperimentDoneEvent) -> None:
        """Keep a result. One that is larger than the whole limit is not kept."""
        size = len(done.result.model_dump_json())
        if size <= self._known.maxsize:
            self._known[key_of(job)] = done, size
        while len(self._known) > self._max_results:
            self._known.popitem()


def key_of(job: RunExperiment) -> str:
    """All that determines a result, as one text."""
    return json.dumps([VERSION, job.owner, job.experiment, job.seed, job.parameters], sort_keys=True)
