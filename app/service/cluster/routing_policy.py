"""In which order replicas come into question for a request."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

BUSY = 2  # requests side by side: from there on a replica that is idle does better by loading the model


class Replica(Protocol):
    """A replica as far as it matters here: `routing_stats` is what it tells of itself."""

    @property
    def routing_stats(self) -> dict[str, list[str]]: ...


R = TypeVar("R", bound=Replica)


def rank_replicas(replicas: Sequence[R], model: str, requests: Callable[[R], int | None]) -> list[list[R]]:
    """Those that hold the model and have fewer than `BUSY` requests, then all; those that hold it first.

    `requests` tells of a replica how many it has, as far as known.
    """
    replicas = random.sample(replicas, len(replicas))  # several that are alike share what comes at once
    holders = [replica for replica in replicas if model in replica.routing_stats.get("models", ())]
    others = [replica for replica in replicas if replica not in holders]
    free = [replica for replica in holders if (count := requests(replica)) is not None and count < BUSY]
    return [free, [*holders, *others]]
