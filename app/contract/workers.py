"""The reports that worker processes and replicas send about themselves every few seconds.

Plain dictionaries, not validated: they come from processes of our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from .catalogue import Catalogue


class WorkerCounters(TypedDict):
    """What a worker has computed since it started, and what is in its memory."""

    micro_batches: int
    gradient_evaluations: int
    models: int  # number of models in memory
    model_bytes: int
    loaded: Sequence[str]  # ids of the models in memory
    resident: NotRequired[int]  # resident set size (RSS) of the process, in bytes


class ReplicaState(TypedDict):
    """The report of a replica. `catalogue` is None if the caller knows the current version already."""

    replica: str
    process: int  # process id
    running: int  # jobs that it computes now
    counters: WorkerCounters
    catalogue_version: int
    catalogue: Catalogue | None
