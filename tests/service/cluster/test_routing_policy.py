"""Which replica a request goes to, by what they hold and how busy they are."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from gradoscope.service.cluster.routing_policy import BUSY, rank_replicas


@dataclass(eq=False)
class Replica:
    name: str
    requests: int | None
    models: list[str] = field(default_factory=list)

    @property
    def routing_stats(self):
        return {"models": self.models} if self.models else {}


def names(replicas, model):
    return [
        [replica.name for replica in rank] for rank in rank_replicas(replicas, model, lambda replica: replica.requests)
    ]


@pytest.mark.parametrize(
    ("requests", "first"),
    [(0, ["b"]), (BUSY - 1, ["b"]), (BUSY, []), (None, [])],
    ids=["idle", "nearly busy", "busy", "unknown"],
)
def test_one_that_holds_the_model_comes_first_while_it_is_not_busy(requests, first):
    replicas = [Replica("a", 0, ["other"]), Replica("b", requests, ["other", "m"]), Replica("c", 0)]
    free, (holder, *others) = names(replicas, "m")
    assert (free, holder, sorted(others)) == (first, "b", ["a", "c"])


def test_without_a_model_or_a_holder_of_it_the_order_is_random():
    replicas = [Replica("a", 0, ["m"]), Replica("b", 1, ["m"])]
    for model in ("", "n"):
        orders = {tuple(names(replicas, model)[1]) for _ in range(100)}
        assert orders == {("a", "b"), ("b", "a")}
        assert names(replicas, model)[0] == []
