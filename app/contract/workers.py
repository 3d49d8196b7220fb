"""What workers and replicas say of themselves. Plain dictionaries: sent every second by processes of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from .catalogue import Catalogue


class WorkerCounters(TypedDict):
    """What a worker has computed since it began, and what is in its memory."""

    micro_batches: int
    gradient_evaluations: int
    models: int  # in memory
    model_bytes: int
    loaded: Sequence[str]  # their ids
    resident: NotRequired[int]  # bytes of the process that are in RAM


class ReplicaState(TypedDict):
    """What a replica says of itself; its catalogue where the one that is known is old."""

    replica: str
    process: int
    running: int
    counters: WorkerCounters
    catalogue_version: int
    catalogue: Catalogue | None
