"""The frame of the lab, with a toy: what is checked before a run, the events of one, and how keys become words."""

from __future__ import annotations

import json
import math

import pytest
import torch
from gradoscope.contract.experiment_events import parse_experiment_event
from gradoscope.contract.experiments import ExperimentResult
from gradoscope.contract.jobs import RunExperiment
from gradoscope.contract.problems import NotFound, Unprocessable
from gradoscope.lab import wording
from gradoscope.lab.arguments import MAX_BYTES, check_seconds, checked_parameters, checked_request
from gradoscope.lab.experiment import Update
from gradoscope.lab.registry import find_experiment
from gradoscope.pipeline import experiment as running
from gradoscope.pipeline.experiment import experiment

from tests.support.toy_experiment import compute, use_toy


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    return use_toy(monkeypatch)


def events(seed=0, **parameters):
    return [event for event in experiment(RunExperiment("toy", parameters, seed)) if event is not None]


# What is asked


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"steps": 0}, "parameters.steps", "greater than or equal to 1"),
        ({"steps": 1001}, "parameters.steps", "less than or equal to 1000"),
        ({"steps": 2.5}, "parameters.steps", "integer"),
        ({"steps": True}, "parameters.steps", "integer"),
        ({"steps": "3"}, "parameters.steps", "integer"),
        ({"rate": 0}, "parameters.rate", "greater than 0"),
        ({"rate": None}, "parameters.rate", "number"),
        ({"step": 3}, "parameters.step", "Did you mean `steps`? There are: steps, kind, rate, grid."),
        ({"kind": "plane"}, "parameters.kind", "Did you mean `plain`?"),
        ({"kind": "quite else"}, "parameters.kind", "'plain', 'broken' or 'not_finite'."),
        ({"grid": [[1], ["x"]]}, "parameters.grid.1.0", "number"),
        ({"grid": [[1]] * 5}, "parameters.grid", "at most 4"),
        ({"rate": math.nan}, "parameters", "JSON"),
        ({"rate": object()}, "parameters", "JSON"),
        ({"grid": "\ud800"}, "parameters", "Unicode"),
        ({"kind": "x" * MAX_BYTES}, "parameters", f"{MAX_BYTES:,}"),
    ],
)
def test_a_parameter_that_will_not_do_is_named_with_its_bounds(toy, given, field, words):
    with pytest.raises(Unprocessable) as refused:
        checked_parameters(toy, given)
    assert [fault["field"] for fault in refused.value.errors] == [field]
    assert words in refused.value.detail
    assert refused.value.detail.endswith((".", "?"))


def test_every_fault_is_named(toy):
    with pytest.raises(Unprocessable) as refused:
        checked_parameters(toy, {"steps": 0, "rate": 3})
    assert [fault["field"] for fault in refused.value.errors] == ["parameters.steps", "parameters.rate"]


def test_deep_nesting_is_refused(toy):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Unprocessable, match="levels deep"):
        checked_parameters(toy, {"grid": deep})


def test_whole_numbers_are_numbers_too(toy):
    assert checked_parameters(toy, {"rate": 1, "grid": [[1, 2]]}).grid == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": True}, "seed"),
        ({"parameters": [1]}, "parameters"),
        ({"parameter": {}}, "parameter"),
        ([], "body"),
        (None, "body"),
    ],
)
def test_a_body_that_will_not_do_is_refused(body, field):
    with pytest.raises(Unprocessable) as refused:
        checked_request(body)
    assert [fault["field"] for fault in refused.value.errors] == [field]


def test_a_misspelt_field_and_a_misspelt_experiment_have_a_near_name():
    with pytest.raises(Unprocessable, match="Did you mean `parameters`"):
        checked_request({"paramters": {}})
    with pytest.raises(NotFound, match="Did you mean `toy`"):
        find_experiment("toyy")


def test_what_would_take_too_long_is_refused_before_it_is_computed(toy):
    parameters = checked_parameters(toy, {"steps": 100})
    assert check_seconds(toy, parameters, 10) == pytest.approx(10)
    with pytest.raises(Unprocessable, match="about 10 s") as refused:
        check_seconds(toy, parameters, 9)
    assert refused.value.errors[0]["field"] == "parameters"


# What is answered


def test_the_events_of_a_run(monkeypatch):
    monkeypatch.setattr(running, "PROGRESS_SECONDS", 0)
    monkeypatch.setattr(running, "PARTIAL_SECONDS", 0)
    found = events(seed=7)
    names = ["accepted", "progress", "partial", "progress", "partial", "done"]
    assert [event.name for event in found] == names  # what comes with the last step comes with `done`
    first, last = found[0].to_dict(), found[-1].to_dict()
    assert first["parameters"] == last["parameters"]
    assert first["parameters"] == {"steps": 3, "kind": "plain", "rate": 0.5, "grid": [[1.0, 2.0], [3.0, 4.0]]}
    assert first["seconds"] == pytest.approx(0.3)
    assert [(event.done, event.total) for event in found[1:5]] == [(1, 3), (1, 3), (2, 3), (2, 3)]
    assert found[2].to_dict()["figures"][0]["data"]["series"][0]["y"] == [7.0, 1.0]
    assert last["seed"] == 7
    assert last["numbers"]["step"] == 3
    assert {"gradoscope", "torch", "python"} == set(last["versions"])
    assert [figure["id"] for figure in last["figures"]] == [
        *("lines", "bars", "histogram", "matrix", "heatmap", "contour", "graph", "table", "grids")
    ]


def test_a_figure_of_the_same_id_takes_the_place_of_the_earlier_one():
    (lines, *_) = events(steps=5)[-1].result.figures
    assert lines.data.series[0].y == [0.0, 5.0]


def test_few_updates_a_second_are_told():
    """All a thousand come within a moment."""
    assert [event.name for event in events(steps=1000)].count("partial") < 500


def test_others_take_their_turn_after_each_update():
    turns = list(experiment(RunExperiment("toy", {"steps": 10})))
    assert turns.count(None) == 12


def test_each_update_is_computed_by_one_thread_and_the_number_is_the_callers_again(monkeypatch):
    seen, threads = [], torch.get_num_threads()

    def run(parameters, seed):
        for step in range(1, 4):
            seen.append(torch.get_num_threads())
            yield Update(step, 3)

    monkeypatch.setattr(compute, "run", run)
    torch.set_num_threads(2)
    try:
        between = [torch.get_num_threads() for _ in experiment(RunExperiment("toy", {}, 0))]
    finally:
        torch.set_num_threads(threads)
    assert seen == [1, 1, 1]
    assert set(between) == {2}


def test_what_is_cancelled_is_closed():
    run = experiment(RunExperiment("toy", {"steps": 10}))
    for _ in range(6):
        next(run)
    compute.closed.clear()
    run.close()
    assert len(compute.closed) == 1


def test_an_error_on_the_way_comes_through():
    with pytest.raises(RuntimeError, match="nothing works"):
        events(kind="broken")


def test_what_is_not_finite_is_none_and_all_of_it_is_json():
    result = events(kind="not_finite")[-1].to_dict()
    json.dumps(result, allow_nan=False)
    assert result["numbers"]["bad"] is None
    assert result["numbers"]["list"] == [1.0, None]
    assert result["numbers"]["nested"] == {"bad": None}
    assert result["findings"][0]["numbers"] == {"step": 3, "bad": None}
    figures = {figure["id"]: figure["data"] for figure in result["figures"]}
    assert figures["bars"]["series"][0]["y"] == [None, 2.0]
    assert figures["heatmap"]["values"][0] == [None, 1.0]
    assert figures["graph"]["nodes"][0]["value"] is None


def test_a_stream_is_read_as_it_was_written():
    for event in events():
        read = parse_experiment_event(event.name, json.loads(json.dumps(event.to_dict())))
        assert read.to_dict() == event.to_dict()
        assert type(read) is type(event)
    result = events()[-1].result
    again = ExperimentResult.model_validate_json(json.dumps(result.to_dict()))
    assert [type(figure.data) for figure in again.figures] == [type(figure.data) for figure in result.figures]
    problem = parse_experiment_event("error", NotFound("gone").to_dict())
    assert problem.final
    assert parse_experiment_event("something new", {}) is None


# Words


def test_titles_come_from_the_texts():
    lines, bars, *_ = events()[-1].result.figures
    assert (lines.title, lines.data.x.title, lines.data.y.title) == ("A line", "step", "loss")
    assert [series.title for series in bars.data.series] == ["the line", "As it was named"]


def test_grids_their_groups_and_their_steps_have_words():
    *_, grids = events()[-1].result.figures
    first, second = grids.data.groups
    assert (first.title, second.title) == ("Side by side", "second")
    assert [grid.title for grid in first.grids] == ["the left grid", "right"]
    assert [step.text for step in grids.data.steps] == ["It adds 1.", "It adds 2."]


def test_a_sentence_has_its_numbers():
    (finding,) = events()[-1].result.findings
    assert finding.text == "Seen up to 3, with 1, and {unknown}."
    (finding,) = events(kind="not_finite")[-1].result.findings
    assert "with not finite" in finding.text


def test_another_language_and_english_where_it_has_no_words(toy):
    figure = next(update for update in toy.run(toy.parameters(), 0)).figures[0]
    made = wording.worded_figure(toy, figure, "zh")
    assert (made.title, made.data.x.title) == ("一条线", "step")
    assert wording.words(toy, "zh")["title"] == "玩具"
    assert wording.words(toy, "xx") == wording.words(toy, "en")


def test_the_declaration_as_it_is_listed(toy):
    body = wording.described(toy).to_dict()
    assert body["seconds"] == pytest.approx(0.3)
    assert body["tries"] == [{"id": "more", "title": "More steps", "parameters": {"steps": 5}}]
    steps = body["parameters"]["properties"]["steps"]
    assert (steps["minimum"], steps["maximum"], steps["default"]) == (1, 1000, 3)
    assert (steps["title"], steps["description"]) == ("Steps", "How many updates there are.")
    assert body["parameters"]["properties"]["rate"]["description"] == "A number"
    assert body["parameters"]["additionalProperties"] is False


def test_labels_are_words_for_those_who_draw(toy, monkeypatch):
    monkeypatch.setattr(wording, "experiments", lambda: {"toy": toy})
    figures = {figure.id: figure for figure in events()[-1].result.figures}
    assert wording.labelled("toy", figures["table"]).data.columns == ["the line", "value"]
    assert wording.labelled("toy", figures["bars"]).data.labels == ["a", "the line"]
    assert wording.labelled("toy", figures["matrix"]).data.columns == ["the line", "d"]
    assert wording.labelled("elsewhere", figures["table"]) is figures["table"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"), (-4.0, "−4"), (0.0, "0"), (0.0051537, "0.005154"), (117.39085, "117.4"), (-0.25, "−0.25"),
        (9.5367e-7, "9.54×10⁻⁷"), (2.5e9, "2.5×10⁹"), (123456.7, "123457"), (True, "1"), ("tanh", "tanh"),
        (None, "not finite"), (1e-300, "10⁻³⁰⁰"), (0.99995, "0.99995"), (1 + 1e-9, "1"),
        (-9.999999e-4, "−10⁻³"), (-1234567.5, "−1.23×10⁶"),
    ],
)  # fmt: skip
def test_numbers_for_people(value, text):
    assert wording.number_text(value) == text
