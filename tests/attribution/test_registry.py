"""What registers itself."""

from __future__ import annotations

import pytest
from gradoscope.attribution.errors import UnknownName
from gradoscope.attribution.methods.base import methods
from gradoscope.attribution.metrics.base import metrics
from gradoscope.attribution.registry import Registry


class Thing:
    def __init__(self, id="thing", rank=0):
        self.id, self.rank = id, rank


class Other(Thing):
    def __init__(self):
        super().__init__("other", -1)


@pytest.fixture
def registry():
    registry = Registry(
        "gradoscope.attribution.gradient_flow", "thing", order=lambda thing: thing.rank, also=", or all"
    )
    registry.register(Thing)
    registry.register(Other)
    return registry


def test_in_order_and_found_by_id(registry):
    assert list(registry.all()) == ["other", "thing"]
    assert registry.find("thing").rank == 0
    registry.drop("other")
    assert list(registry.all()) == ["thing"]


def test_an_id_is_taken_once(registry):
    with pytest.raises(ValueError, match="two things call themselves thing"):
        registry.register(Thing)


def test_what_there_is_not_is_refused_with_what_there_is(registry):
    with pytest.raises(UnknownName, match=r"There is no thing «x»\. There are: other, thing, or all\.") as refused:
        registry.find("x")
    assert refused.value.kind == "thing"


def test_the_two_that_there_are():
    years = [method.year for method in methods().values()]
    assert years == sorted(years)
    assert list(metrics()) == sorted(metrics())
