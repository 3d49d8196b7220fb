"""The order of the stages, in this process, with the real model and few steps."""

from __future__ import annotations

import pytest
from conftest import sample
from gradoscope.pipeline import Workshop, explain, labels, side_by_side
from gradoscope.service.jobs import Event, Explain, Labels
from gradoscope.service.store import Store
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo


def counting(name, turns, closed):
    try:
        for turn in range(turns):
            yield Event(name, {"turn": turn})
            yield None
    finally:
        closed.append(name)


def test_runs_side_by_side_take_turns_and_end_together():
    closed = []
    names = [e.name for e in side_by_side([counting("a", 3, closed), counting("b", 1, closed)]) if e is not None]
    assert names == ["a", "b", "a", "a"]
    assert closed == ["b", "a"]
    together = side_by_side([counting("a", 3, closed), counting("b", 3, closed)])
    assert [next(together) for _ in range(3)][2].name == "b"
    together.close()
    assert closed[2:] == ["a", "b"] or closed[2:] == ["b", "a"]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    settings = Settings(store=tmp_path_factory.mktemp("store"), micro_batch=2)
    return Workshop(settings, Zoo(settings), Store(settings.store, settings.store_bytes, 3600))


def job(id, **fields):
    options = {"smooth_grad": {"samples": 6}, "integrated_gradients": {"steps": 6}}
    return Explain(
        id, sample("cat.jpg"), methods=("smooth_grad", "integrated_gradients", "grad_cam"), options=options, **fields
    )


def test_maps_sharpen_side_by_side_and_the_cheap_one_comes_first(workshop):
    told = [event for event in explain(job("a" * 32), workshop) if event is not None]
    assert [event.name for event in told[:2]] == ["accepted", "prediction"]
    panels = [event.data["panel"]["method"] for event in told if event.name == "panel"]
    assert panels[0] == "grad_cam"
    names = [event.name for event in told]
    assert names.index("panel") < names.index("partial")  # within its first turn, before the others have theirs
    first_partials = [event.data["panel"] for event in told if event.name == "partial"][:2]
    assert first_partials == ["p1", "p2"]
    assert [panel["method"] for panel in told[-1].data["panels"]] == ["smooth_grad", "integrated_gradients", "grad_cam"]


def test_a_run_that_is_closed_keeps_what_was_finished(workshop):
    run = explain(job("b" * 32, targets=(3,)), workshop)
    for event in run:
        if event is not None and event.name == "panel":
            break
    run.close()
    record = workshop.store.load("b" * 32)
    assert record["status"] == "cancelled"
    assert [panel["method"] for panel in record["panels"]] == ["grad_cam"]
    again = [event for event in explain(job("c" * 32, targets=(3,)), workshop) if event is not None][-1].data
    assert again["status"] == "done"
    assert [panel["from_store"] for panel in again["panels"]] == [False, False, True]


@pytest.mark.parametrize(
    ("last", "status"), [("accepted", "cancelled"), ("prediction", "cancelled"), ("panel", "done")]
)
def test_where_a_client_leaves_is_told_by_the_record(workshop, last, status):
    """Also right after the first event; and one who leaves with the last panel in hand leaves a whole record."""
    id = last.ljust(32, "0")
    run = explain(Explain(id, sample("cat.jpg"), methods=("grad_cam",), targets=(4,)), workshop)
    assert any(event is not None and event.name == last for event in run)
    run.close()
    assert workshop.store.load(id)["status"] == status


def test_labels_need_no_model_in_memory(workshop):
    (event,) = labels(Labels("efficientnet_lite2"), workshop)
    assert event.data["labels"][967] == "espresso"
    assert workshop.zoo.describe("efficientnet_lite2")["layers"] is None
