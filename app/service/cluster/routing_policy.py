"""Ranks the replicas for a request."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

BUSY = 2  # requests at one replica; from here on it is quicker to load the model on an idle one


class Replica(Protocol):
    """The part of a replica that is used here; `routing_stats` is what it reports."""

    @property
    def routing_stats(self) -> dict[str, list[str]]: ...


R = TypeVar("R", bound=Replica)


def rank_replicas(replicas: Sequence[R], model: str, requests: Callable[[R], int | None]) -> list[list[R]]:
    """Two ranks: replicas that hold the model and have fewer than `BUSY` requests; then all, holders first.

    `requests` returns the number of a replica's requests, None if unknown.
    """
    replicas = random.sample(replicas, len(replicas))  # so that equal replicas share simultaneous requests
    holders = [replica for replica in replicas if model in replica.routing_stats.get("models", ())]
    others = [replica for replica in replicas if replica not in holders]
    free = [replica for replica in holders if (count := requests(replica)) is not None and count < BUSY]
    return [free, [*holders, *others]]
