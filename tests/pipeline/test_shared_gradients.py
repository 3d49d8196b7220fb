"""Maps of a request that share gradients along a path: fewer passes, the same maps, and what is told of it."""

from __future__ import annotations

import os

import pytest
from gradoscope.attribution.counters import counters
from gradoscope.attribution.methods.integrated_gradients import IntegratedGradients
from gradoscope.contract.jobs import Explain
from gradoscope.contract.packed_map import unpack_map
from gradoscope.images.image_files import ImageFile
from gradoscope.pipeline.batch import Batch
from gradoscope.pipeline.pipeline import explain

from tests.pipeline.test_pipeline import forbidden
from tests.support.nets import relative
from tests.support.paths import sample

METHODS = ("integrated_gradients", "idgi", "xrai")
STEPS = 12
OPTIONS = {method: {"steps": STEPS} for method in METHODS}


@pytest.fixture
def context(open_context, tmp_path):
    return open_context(store=tmp_path / "store", acceleration="none", micro_batch=4)


def asked(methods=METHODS, **fields):
    given = {"options": {method: OPTIONS[method] for method in methods}, "targets": (282,), **fields}
    return Explain(os.urandom(16).hex(), sample("cat.jpg"), methods=methods, **given)


def events_of(job, context):
    return [event for event in explain(job, context) if event is not None]


def maps_of(job, context):
    """The events, the panels by method, and their maps."""
    events = events_of(job, context)
    panels = {panel["method"]: panel for panel in events[-1].data["panels"]}
    read = {id: context.store.read(job.id, f"panel:{panel['id']}") for id, panel in panels.items()}
    return events, panels, read


def taken_by(run):
    """What a call returns, and how many gradients it computed."""
    before = counters.gradient_evaluations
    result = run()
    return result, counters.gradient_evaluations - before


def told(panels):
    """The gradients that the records say were computed."""
    diagnostics = [panel["diagnostics"] for panel in panels]
    return sum(each["gradient_evaluations"] - each.get("shared_gradients", 0) for each in diagnostics)


def test_a_request_takes_each_gradient_once_and_says_so(context):
    alone = {}
    for method in METHODS:
        job = asked((method,))
        (_, panels, read), taken = taken_by(lambda job=job: maps_of(job, context))
        assert taken == panels[method]["diagnostics"]["gradient_evaluations"] == STEPS * (1 + (method == "xrai"))
        assert "shared_gradients" not in panels[method]["diagnostics"]
        alone[method] = unpack_map(read[method])
        context.store.forget(job.id)
    (events, panels, read), taken = taken_by(lambda: maps_of(asked(), context))
    assert taken == told(panels.values()) == 2 * STEPS
    accepted = events[0].data
    assert accepted["gradient_evaluations"] == sum(panel["cost"] for panel in accepted["panels"])
    assert accepted["shared_evaluations"] == 2 * STEPS
    for method in METHODS:
        assert panels[method]["status"] == "done"
        assert panels[method]["diagnostics"]["gradient_evaluations"] == STEPS * (1 + (method == "xrai"))
        assert relative(unpack_map(read[method]), alone[method]) < 1e-5
    for planned in accepted["panels"]:  # each counts up to its own cost, whoever computed
        done = [e.data["done"] for e in events if e.name == "progress" and e.data["panel"] == planned["id"]]
        assert done == sorted(done)
        assert done[-1] == planned["cost"]


def test_what_another_class_needs_is_not_shared(context):
    _, taken = taken_by(lambda: events_of(asked(("integrated_gradients", "idgi"), targets=(282, 10)), context))
    assert taken == 2 * STEPS
    events = events_of(asked(("integrated_gradients",), targets=(3, 4)), context)
    assert events[0].data["shared_evaluations"] == 0


def test_a_map_in_the_store_gives_no_gradients_and_the_others_do_without(context):
    events_of(asked(("integrated_gradients",)), context)
    (_, panels, _), taken = taken_by(lambda: maps_of(asked(), context))
    assert panels["integrated_gradients"]["from_store"]
    assert taken == 2 * STEPS  # black for IDGI and XRAI together, white for XRAI
    (_, panels, _), taken = taken_by(lambda: maps_of(asked(), context))
    assert taken == 0


def test_a_map_that_fails_takes_no_other_with_it(context, monkeypatch):
    def failing(self, engine, picture, parameters, seed):
        steps = original(self, engine, picture, parameters, seed)
        yield next(steps)
        raise RuntimeError("in the middle of the path")

    original = IntegratedGradients.attribute
    monkeypatch.setattr(IntegratedGradients, "attribute", failing)
    (_, panels, _), taken = taken_by(lambda: maps_of(asked(), context))
    assert [panels[method]["status"] for method in METHODS] == ["failed", "done", "done"]
    assert taken == 2 * STEPS


def test_a_run_that_is_closed_leaves_nothing(context):
    run = explain(asked(), context)
    for event in run:
        if event is not None and event.name == "progress":
            break
    run.close()
    (_, panels, _), taken = taken_by(lambda: maps_of(asked(), context))
    assert {panel["status"] for panel in panels.values()} == {"done"}
    assert taken == 2 * STEPS


def test_the_time_of_a_shared_map_is_no_measure_of_gradients(context, monkeypatch):
    events_of(asked(("integrated_gradients",)), context)
    monkeypatch.setattr(context.throughput, "record", forbidden)
    job = asked(("idgi", "xrai"))
    panels = {panel["method"]: panel for panel in events_of(job, context)[-1].data["panels"]}
    shares = [panel["diagnostics"].get("shared_gradients", 0) for panel in panels.values()]
    assert sorted(shares) == [0, STEPS]
    assert {panel["status"] for panel in panels.values()} == {"failed", "done"}  # the one that computed was measured


def test_a_folder_shares_too(context, tmp_path):
    picture = tmp_path / "cat.jpg"
    picture.write_bytes(sample("cat.jpg"))
    request = Explain("", b"", methods=METHODS, options=OPTIONS, targets=(282,))
    entries = [ImageFile(picture, tmp_path / "out")]
    (shot,), taken = taken_by(lambda: list(Batch(request, context, lambda entry, mark: False).explain(entries)))
    panels = [panel.to_dict() for panel in shot.record.panels]
    assert [panel["method"] for panel in panels] == list(METHODS)
    assert taken == told(panels) == 2 * STEPS
    _, _, read = maps_of(asked(), context)
    for panel in panels:
        assert relative(shot.maps[panel["id"]], unpack_map(read[panel["method"]])) < 1e-5
